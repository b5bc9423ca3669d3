# Callipter. `make help` lists the targets; README.md says what they are for.
#
# Layout of a build: one static archive per folder under $(B), linked from the highest floor down, so
# that a unit test of a floor links that floor and those below it and nothing else.

CC      ?= gcc
ifeq ($(origin CC),default)
CC      := gcc
endif
MODE    ?= release
B       ?= build/$(CC)-$(MODE)
WERROR  ?= 1
JOBS    ?= $(shell nproc)
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)

FLOORS  := base evm state chain genesis index rpc bridge node
# Archives in link order, highest floor first.
LINK_ORDER := node rpc bridge index genesis chain state evm base

WARN    := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
           -Wvla -Wswitch-enum -Wformat=2
ifeq ($(WERROR),1)
WARN    += -Werror
endif
CFLAGS_release := -O2 -g
CFLAGS_debug   := -O0 -g -DCALLIPTER_DEBUG
# -fno-sanitize-recover: UBSan would else print and exit 0.
CFLAGS_asan    := -O1 -g -DCALLIPTER_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=all \
                  -fno-omit-frame-pointer
CFLAGS_tsan    := -O1 -g -DCALLIPTER_DEBUG -fsanitize=thread
LDFLAGS_asan   := -fsanitize=address,undefined
LDFLAGS_tsan   := -fsanitize=thread
CFLAGS_fuzz    := -O1 -g -DCALLIPTER_DEBUG -fsanitize=address,undefined,fuzzer-no-link \
                  -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_fuzz   := -fsanitize=address,undefined

CPPFLAGS := -I. -I$(B)/gen -D_GNU_SOURCE -include base/banned.h
CFLAGS   := -std=gnu17 $(CFLAGS_$(MODE)) $(WARN) -pthread
LDFLAGS  := $(LDFLAGS_$(MODE)) -pthread

COMMIT   := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

.DEFAULT_GOAL := all
.SECONDARY:
all: build/callipter ## build build/callipter

# --- one rules.mk per folder: <folder>_SRC, <folder>_LIBS (system libraries), flags of single files ---
include $(wildcard $(addsuffix /rules.mk,$(FLOORS)))

define FLOOR_RULES
$(1)_SRC ?= $$(filter-out node/main.c,$$(wildcard $(1)/*.c))
$(1)_OBJ := $$(patsubst %.c,$(B)/%.o,$$($(1)_SRC))
$(B)/lib$(1).a: $$($(1)_OBJ)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && ar rcs $$@ $$^
DEPS += $$($(1)_OBJ:.o=.d)
# What a program of this floor links: this archive and those of the floors below, then libraries.
$(1)_BELOW := $$(shell echo "$(LINK_ORDER)" | tr ' ' '\n' | sed -n '/^$(1)$$$$/,$$$$p' | tr '\n' ' ')
endef
$(foreach f,$(FLOORS),$(eval $(call FLOOR_RULES,$(f))))
SYSLIBS = $(foreach f,$(LINK_ORDER),$($(f)_LIBS)) -lm

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(filter 1,$(V)),,@echo "CC $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(CFLAGS_$<) -MMD -MP -c $< -o $@

ALL_LIBS = $(foreach f,$(LINK_ORDER),$(B)/lib$(f).a)

$(B)/callipter: $(B)/node/main.o $(ALL_LIBS)
	$(if $(filter 1,$(V)),,@echo "LD $@")
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -Wl,--start-group $(ALL_LIBS) -Wl,--end-group $(SYSLIBS)
DEPS += $(B)/node/main.d

build/callipter: $(B)/callipter
	@mkdir -p build
	$(Q)cp -f $< $@.new && mv -f $@.new $@

# --- unit tests: tests/unit/<floor>/test_<file>.c, one Criterion program per floor -------------------
TESTLIB_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard tests/lib/*.c))
define UNIT_RULES
unit_$(1)_OBJ := $$(patsubst %.c,$(B)/%.o,$$(wildcard tests/unit/$(1)/*.c))
DEPS += $$(unit_$(1)_OBJ:.o=.d) $$(patsubst %.c,$(B)/%.d,$$(wildcard tests/lib/$(1)/*.c))
$(B)/unit-$(1): $$(unit_$(1)_OBJ) $$(patsubst %.c,$(B)/%.o,$$(wildcard tests/lib/$(1)/*.c) $$($(1)_TEST_SRC)) $(TESTLIB_OBJ) $$(foreach f,$$($(1)_BELOW),$(B)/lib$$(f).a)
	@echo "LD $$@"
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(foreach f,$$($(1)_BELOW),$$($$(f)_LIBS)) $$($(1)_TEST_LIBS) -lcriterion -lm
endef
$(foreach f,$(FLOORS),$(eval $(call UNIT_RULES,$(f))))
$(B)/unit-node: $(B)/tests/lib/bridge/fake_parent.o

-include $(wildcard tests/rules.mk scripts/rules.mk)

UNIT_FLOORS := $(foreach f,$(FLOORS),$(if $(wildcard tests/unit/$(f)/*.c),$(f)))
UNIT_BINS := $(addprefix $(B)/unit-,$(UNIT_FLOORS))

test-unit: $(UNIT_BINS) ## unit tests (FILTER=suite/test glob)
	@set -e; for t in $^; do echo "== $$t"; $$t -j$(JOBS) $(if $(FILTER),--filter '$(FILTER)'); done

setup-build:
	$(Q)scripts/setup build
setup-test:
	$(Q)scripts/setup test
setup-all:
	$(Q)scripts/setup all
setup-l3:
	$(Q)scripts/setup l3

run: setup-build ## set up, build, start a dev chain with funded keys (ARGS= for more flags)
	$(Q)$(MAKE) --no-print-directory WERROR=0 all
	$(Q)exec build/callipter run --dev $(ARGS)

test: setup-test ## set up, build, and run all suites that CI runs
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all test-programs
	$(Q)scripts/test ci

test-all: setup-all ## also the slow suites
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) all test-programs
	$(Q)scripts/test all

# `mint` is a program of its own (scripts/l3/bench.mjs): it measures whole processes from outside.
BENCH_NAMES = $(filter-out mint,$(NAMES))
BENCH_ALL = $(if $(NAMES),,all)
# Anvil, measured beside ours, is there after `scripts/setup test`; PEER= leaves it out.
PEER ?= $(wildcard tests/func/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil)
RUNS ?= 5
bench: all ## measurements, as a table (NAMES=, RUNS=, PEER=, ARGS=--json; node/bench/README.md); mint: 10,000 items by API on an L3
	$(Q)$(if $(BENCH_NAMES)$(BENCH_ALL),CORPORA=$$(scripts/corpora || true) build/callipter bench $(BENCH_NAMES) --runs $(RUNS) $(if $(PEER),--peer $(PEER)) $(ARGS))
	$(Q)$(if $(filter mint,$(NAMES))$(BENCH_ALL),scripts/setup l3 && node scripts/l3/bench.mjs $(filter --json,$(ARGS)))

# abort_on_error: Criterion would otherwise pass a test whose leak is found at exit.
asan: ## unit and conformance suites under AddressSanitizer and UBSan (SUITES= picks some)
	$(Q)$(MAKE) --no-print-directory MODE=asan -j$(JOBS) build/$(CC)-asan/callipter test-programs
	$(Q)MODE=asan B=build/$(CC)-asan ASAN_OPTIONS=abort_on_error=1:detect_leaks=1 \
	    scripts/test asan $(SUITES)

clean: ## remove build/
	rm -rf build

help: ## this list
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 20

test-programs: $(UNIT_BINS) $(CONFORMANCE_BINS) $(SIMULATION_BINS) $(FUZZ_BINS)

.PHONY: all bench asan setup-build setup-test setup-all setup-l3 run test test-all test-unit test-programs clean help
-include $(DEPS)
