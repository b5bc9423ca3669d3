genesis_LIBS := -ljansson
