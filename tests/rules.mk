# Programs that are not Criterion's. Each folder of tests/ appends to its own list.

# --- conformance: tests/conformance/<name>.c, a plain program that reads vectors from $CORPORA and from
# tests/vectors, prints `N passed, N failed[, N skipped]` last and exits 1 if any failed.
# CONFORMANCE lists <name>:<floor>, the highest floor that the program needs.
CONFORMANCE += precompile_vectors:evm
CONFORMANCE += trie_vectors:state
CONFORMANCE += wycheproof_vectors:base
CONFORMANCE += tx_vectors:node
CONFORMANCE += keystore_vectors:node
CONFORMANCE += tracer_vectors:rpc
CONFORMANCE += runner_judges:base

define CONFORMANCE_RULES
CONFORMANCE_BINS += $(B)/$(1)
DEPS += $(B)/tests/conformance/$(1).d
$(B)/$(1): $(B)/tests/conformance/$(1).o $$(foreach f,$$($(2)_BELOW),$(B)/lib$$(f).a)
	@echo "LD $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$< -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(foreach f,$$($(2)_BELOW),$$($$(f)_LIBS)) -ljansson -lm
endef
$(foreach c,$(CONFORMANCE),$(eval $(call CONFORMANCE_RULES,$(firstword $(subst :, ,$(c))),$(lastword $(subst :, ,$(c))))))

$(B)/runner_judges: | $(B)/callipter
test-conformance: $(CONFORMANCE_BINS) ## published vectors (CORPORA=) and our own
	@set -e; for t in $^; do echo "== $$t"; $$t; done

.PHONY: test-conformance

# --- fuzz: tests/fuzz/fuzz_<name>.c (tests/fuzz/README.md). FUZZ_TARGETS lists <name>:<floor>, the highest floor that
# the target needs; FUZZ_<name>_SRC are further sources of tests/lib. In MODE=fuzz (clang) they link libFuzzer, else a
# main that replays files.
FUZZ_TARGETS += rlp:base
FUZZ_TARGETS += tiers:evm
FUZZ_tiers_SRC := tests/lib/evm/fake_world.c tests/lib/evm/random_program.c
FUZZ_TARGETS += trie:state
FUZZ_trie_SRC := tests/lib/state/map_source.c tests/lib/state/omap.c tests/lib/state/plain_trie.c
FUZZ_TARGETS += tx:chain
FUZZ_TARGETS += message:chain
FUZZ_TARGETS += derive:chain
FUZZ_derive_SRC := tests/lib/chain/l3_fixture.c tests/lib/chain/universe_fixture.c
FUZZ_TARGETS += batch:bridge events:bridge
FUZZ_TARGETS += http:rpc
FUZZ_B ?= build/clang-fuzz
TIME ?= 60

define FUZZ_RULES
FUZZ_NAMES += $(1)
FUZZ_BINS += $(B)/replay-$(1)
DEPS += $(B)/tests/fuzz/fuzz_$(1).d $(B)/tests/fuzz/fuzz_$(1).planted.d
fuzz_$(1)_OBJ := $$(patsubst %.c,$(B)/%.o,$$(FUZZ_$(1)_SRC))
fuzz_$(1)_LIB := $$(foreach f,$$($(2)_BELOW),$(B)/lib$$(f).a)
fuzz_$(1)_SYS := $$(foreach f,$$($(2)_BELOW),$$($$(f)_LIBS)) -lm
$(B)/replay-$(1): $(B)/tests/fuzz/fuzz_$(1).o $(B)/tests/fuzz/replay_main.o $$(fuzz_$(1)_OBJ) $$(fuzz_$(1)_LIB)
	@echo "LD $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(fuzz_$(1)_SYS)
$(B)/fuzz-$(1): $(B)/tests/fuzz/fuzz_$(1).o $$(fuzz_$(1)_OBJ) $$(fuzz_$(1)_LIB)
	@echo "LD $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(fuzz_$(1)_SYS)
$(B)/fuzz-$(1)-planted: $(B)/tests/fuzz/fuzz_$(1).planted.o $$(fuzz_$(1)_OBJ) $$(fuzz_$(1)_LIB)
	@echo "LD $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(fuzz_$(1)_SYS)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call FUZZ_RULES,$(firstword $(subst :, ,$(t))),$(lastword $(subst :, ,$(t))))))

$(B)/tests/fuzz/%.planted.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	@echo "CC $< (planted bug)"
	$(Q)$(CC) $(CPPFLAGS) -DFUZZ_PLANT_BUG $(CFLAGS) -MMD -MP -c $< -o $@

FUZZ_MAKE = $(MAKE) --no-print-directory CC=clang MODE=fuzz B=$(FUZZ_B)

ifdef FUZZ
fuzz: ## replay the fuzz corpora; FUZZ=rlp TIME=60 searches with libFuzzer
	$(Q)$(FUZZ_MAKE) $(FUZZ_B)/fuzz-$(FUZZ)
	@scripts/fuzz search $(FUZZ_B)/fuzz-$(FUZZ) $(FUZZ) $(TIME)
else
fuzz: $(FUZZ_BINS)
	@set -e; for n in $(FUZZ_NAMES); do scripts/fuzz replay $(B)/replay-$$n $$n; done
endif

fuzz-planted: ## FUZZ=rlp TIME=60: a search must find the bug planted in the target
	$(Q)$(FUZZ_MAKE) $(FUZZ_B)/fuzz-$(FUZZ)-planted
	@scripts/fuzz planted $(FUZZ_B)/fuzz-$(FUZZ)-planted $(FUZZ) $(TIME)

fuzz-ci: $(FUZZ_BINS) ## replay, search TIME seconds and find the planted bug, for each target
	$(Q)$(FUZZ_MAKE) $(foreach n,$(FUZZ_NAMES),$(FUZZ_B)/fuzz-$(n) $(FUZZ_B)/fuzz-$(n)-planted)
	@status=0; for n in $(FUZZ_NAMES); do \
	    scripts/fuzz replay $(B)/replay-$$n $$n || status=1; \
	    scripts/fuzz search $(FUZZ_B)/fuzz-$$n $$n $(TIME) || status=1; \
	    scripts/fuzz planted $(FUZZ_B)/fuzz-$$n-planted $$n 60 || status=1; \
	done; exit $$status

.PHONY: fuzz fuzz-planted fuzz-ci

# --- simulations: tests/sim/<name>.c, a plain program, seeded and repeatable (SEED=), that prints `N passed, N failed` last.
# SIMULATIONS lists <name>:<floor>, the highest floor that the program needs; it links tests/lib/<floor> too, and the sources in
# SIM_<name>_SRC. crash records itself through a preloaded library, which any other program may be run under as well.
SIMULATIONS += store_history:state crash:state
SIM_crash_SRC := tests/sim/crash_disk.c tests/sim/crash_node.c

define SIMULATION_RULES
SIMULATION_BINS += $(B)/sim-$(1)
sim_$(1)_OBJ := $(B)/tests/sim/$(1).o $$(patsubst %.c,$(B)/%.o,$$(SIM_$(1)_SRC) $$(wildcard tests/lib/$(2)/*.c))
DEPS += $$(sim_$(1)_OBJ:.o=.d)
$(B)/sim-$(1): $$(sim_$(1)_OBJ) $$(foreach f,$$($(2)_BELOW),$(B)/lib$$(f).a)
	@echo "LD $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(foreach f,$$($(2)_BELOW),$$($$(f)_LIBS)) -ldl -lm
endef
$(foreach t,$(SIMULATIONS),$(eval $(call SIMULATION_RULES,$(firstword $(subst :, ,$(t))),$(lastword $(subst :, ,$(t))))))

$(B)/crash_shim.so: tests/sim/crash_shim.c tests/sim/crash_trace.h
	@mkdir -p $(@D)
	@echo "LD $@"
	$(Q)$(CC) -I. -D_GNU_SOURCE -std=gnu17 -O1 -g $(WARN) -fPIC -shared -o $@ $<

# Makes the disk images that tests/func/suite_crash.mjs starts nodes on.
crash_image_OBJ := $(patsubst %,$(B)/tests/%.o,sim/crash_image sim/crash_disk lib/state/fixture)
DEPS += $(crash_image_OBJ:.o=.d)
$(B)/sim-crash_image: $(crash_image_OBJ) $(B)/libbase.a
	@echo "LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -Wl,--start-group $(foreach f,$(base_BELOW),$(B)/lib$(f).a) -Wl,--end-group $(foreach f,$(base_BELOW),$($(f)_LIBS)) -lm

crash-tools: $(B)/sim-crash_image $(B)/crash_shim.so # for tests/func/run.sh crash (CRASH_TOOLS=$B)

test-sim: $(SIMULATION_BINS) $(B)/crash_shim.so ## seeded simulations: store histories, crashes (SEED=)
	@set -e; for t in $(SIMULATION_BINS); do echo "== $$t"; $$t; done

.PHONY: test-sim crash-tools

# --- functional: the real binary with real clients (tests/func/README.md).
test-func: build/callipter ## viem, cast, ethers, the wire, restart, kill -9 (FILTER=, ROUNDS=)
	@tests/func/run.sh

.PHONY: test-func

# --- proofs against @ethereumjs/mpt ---------------------------------------------------------------------
PROOF_OBJ := $(addprefix $(B)/tests/lib/state/,proof_set.o map_source.o omap.o) $(B)/tests/func/proofs/dump.o
DEPS += $(PROOF_OBJ:.o=.d)
$(B)/proof-dump: $(PROOF_OBJ) $(foreach f,$(state_BELOW),$(B)/lib$(f).a)
	@echo "LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(foreach f,$(state_BELOW),$($(f)_LIBS)) -lm

test-proofs: $(B)/proof-dump ## proofs of 100,000 accounts and slots, verified by @ethereumjs/mpt
	@tests/func/proofs/run $<

.PHONY: test-proofs

# --- the parent's real contracts on Anvil (tests/parent/README.md) -------------------------------------------
BRIDGE_TOOL_OBJ := $(B)/tests/parent/bridge_tool.o
DEPS += $(BRIDGE_TOOL_OBJ:.o=.d)
$(B)/bridge-tool: $(BRIDGE_TOOL_OBJ) $(foreach f,$(bridge_BELOW),$(B)/lib$(f).a)
	@echo "LD $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(foreach f,$(bridge_BELOW),$($(f)_LIBS)) -lm

test-parent: $(B)/bridge-tool $(B)/callipter ## the parent's real contracts on Anvil: deployment, confirmer, bridge
	@BRIDGE_TOOL=$(abspath $(B)/bridge-tool) CALLIPTER=$(abspath $(B)/callipter) tests/parent/run.sh

.PHONY: test-parent

run-l3: setup-l3 ## an L3 on Anvil with the parent's real contracts, sequencer, validators, confirmer; DEMO=1 tells a universe's story
	$(Q)$(MAKE) --no-print-directory WERROR=0 all
	@exec node scripts/l3/$(if $(filter 1,$(DEMO)),demo,run).mjs

.PHONY: run-l3

# --- the node that lies (tests/l3/liar.c), for tests/l3/suite_liar.mjs -----------------------------------------
comma := ,
LIAR_WRAPS := chain_seal_block universe_sponsor_rule mirror_delayed_at
DEPS += $(B)/tests/l3/liar.d
$(B)/liar: $(B)/tests/l3/liar.o $(B)/node/main.o $(ALL_LIBS)
	@echo "LD $@"
	$(Q)$(CC) $(LDFLAGS) $(addprefix -Wl$(comma)--wrap=,$(LIAR_WRAPS)) -o $@ $(filter %.o,$^) -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(SYSLIBS)

l3-tools: $(B)/callipter $(B)/liar # for tests/l3/run.sh (CALLIPTER=$B/callipter LIAR=$B/liar)

.PHONY: l3-tools
