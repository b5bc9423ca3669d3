chain_LIBS :=
chain_TEST_LIBS := -ljansson
