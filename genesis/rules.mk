genesis_LIBS := -ljansson
# predeploys.c embeds these files, which the compiler's dependency output does not know.
$(B)/genesis/predeploys.o: $(wildcard genesis/predeploys/*.hex)
