node_LIBS := -levent -ljansson
# What its unit tests take of another floor's.
node_TEST_SRC := tests/lib/bridge/fake_parent.c
CFLAGS_node/version.c = -DCALLIPTER_COMMIT='"$(COMMIT)"'
# Built again when HEAD moves, so that the commit it names is the right one.
$(B)/node/version.o: $(wildcard .git/HEAD .git/logs/HEAD)
# It embeds these files, which the compiler's dependency output does not know.
$(B)/node/bench_chain.o: $(wildcard node/bench/*.hex)
