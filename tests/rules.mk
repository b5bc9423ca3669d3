# Programs that are not Criterion's. Each folder of tests/ appends to its own list.

# --- conformance: tests/conformance/<name>.c, a plain program that reads vectors from $CORPORA and from
# tests/vectors, prints `N passed, N failed[, N skipped]` last and exits 1 if any failed.
# CONFORMANCE lists <name>:<floor>, the highest floor that the program needs.
CONFORMANCE += precompile_vectors:evm

define CONFORMANCE_RULES
CONFORMANCE_BINS += $(B)/$(1)
DEPS += $(B)/tests/conformance/$(1).d
$(B)/$(1): $(B)/tests/conformance/$(1).o $$(foreach f,$$($(2)_BELOW),$(B)/lib$$(f).a)
	@echo "LD $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(foreach f,$$($(2)_BELOW),$$($$(f)_LIBS)) -ljansson -lm
endef
$(foreach c,$(CONFORMANCE),$(eval $(call CONFORMANCE_RULES,$(firstword $(subst :, ,$(c))),$(lastword $(subst :, ,$(c))))))

test-conformance: $(CONFORMANCE_BINS) ## published vectors (CORPORA=) and our own
	@set -e; for t in $^; do echo "== $$t"; $$t; done

.PHONY: test-conformance
