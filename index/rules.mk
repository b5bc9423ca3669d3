index_LIBS := -ljansson
