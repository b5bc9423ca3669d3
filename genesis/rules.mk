genesis_LIBS := -ljansson
# They embed these files, which the compiler's dependency output does not know.
$(B)/genesis/predeploys.o: $(wildcard genesis/predeploys/*.hex)
$(B)/genesis/templates.o: $(wildcard genesis/templates/*)
