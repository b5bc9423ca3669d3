bridge_LIBS := -lcurl -lbrotlienc -lbrotlidec -lbrotlicommon -ljansson
bridge_TEST_LIBS := -ljansson -levent
