node_LIBS := -levent -ljansson
