#!/usr/bin/env bash
# Goal: scripts/lint fails for what it exists to find. Method: a copy of the tree; in it, one violation at a time is
# planted, the check that should see it runs, and must name the planted file; without the plant it must not.
set -uo pipefail
cd "$(dirname "$0")/../.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z | while IFS= read -r -d '' f; do [ -f "$f" ] && printf '%s\0' "$f"; done |
    tar --null -T - -cf - | tar -xf - -C "$copy"

passed=0 failed=0
result() { # ok? text
    if [ "$1" = 1 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $2"; fi
}

# plant CHECK PATH TEXT_EXPECTED <contents: the file is added, lint must fail and name it; then it goes again.
plant() {
    local check=$1 path=$2 expected=$3 out status
    mkdir -p "$(dirname "$copy/$path")"
    if [ -e "$copy/$path" ]; then
        echo "FAIL $path exists already"
        failed=$((failed + 1))
        return
    fi
    out=$(scripts/lint --root "$copy" --only "$check" 2>&1)
    result "$(! grep -qF "$path:" <<<"$out" && tail -n 1 <<<"$out" | grep -qE '^[0-9]+ passed, [0-9]+ failed$' && echo 1)" \
        "$check names $path before it is there: $out"
    cat >"$copy/$path"
    out=$(scripts/lint --root "$copy" --only "$check" 2>&1)
    status=$?
    result "$([ $status = 1 ] && grep -F "$path:" <<<"$out" | grep -qF "$expected" && echo 1)" \
        "$check did not fail for $path ($expected), status $status"
    rm "$copy/$path"
}

spdx='/* SPDX-License-Identifier: Apache-2.0 */'
lines() { for ((i = 0; i < $1; i++)); do echo "$2"; done; }

plant layers base/planted.c 'base/ (floor 0) includes evm/evm.h' <<<"$spdx
#include \"evm/evm.h\""
plant layers evm/planted.c 'evm/ (floor 1) includes state/store.h' <<<"$spdx
#include \"state/store.h\""
plant layers state/planted.h 'includes evm/evm.h' <<<"$spdx
#include \"evm/evm.h\""
plant layers rpc/planted.c '<lmdb.h> belongs to state' <<<"$spdx
#include <lmdb.h>"
plant layers chain/planted.c '<event2/event.h> belongs to' <<<"$spdx
#include <event2/event.h>"
plant layers chain/planted.c 'no path from the root' <<<"$spdx
#include \"tx.h\""
plant layers sdk/planted.c 'no C here' <<<"$spdx"
plant alone state/planted.h 'does not compile alone' <<<"$spdx
uint64_t planted(void);"
plant size chain/planted.c '1201 lines' < <(lines 1201 '')
plant size chain/planted.h '601 lines' < <(lines 601 '')
plant length evm/planted.c 'planted_function has 101 lines' < <(
    echo 'static int planted_function(void) {' && lines 99 '    work();' && echo '}')
plant length evm/planted.c 'planted_function has 9 parameters' <<<'int planted_function(int a, int b, int c, int d, int e,
                     int f, int g, int h, int (*i)(int)) {
    return a;
}'
for name in strcpy sprintf strtok gets alloca rand time localtime; do
    plant banned rpc/planted.c "$name is banned" <<<"int planted(void) { return (int)$name (0); }"
done
plant width genesis/planted.c '101 columns' < <(printf '%0101d\n' 0)
plant format node/planted.c 'clang-format would change it' <<<"$spdx
int   planted ;"
plant unit state/planted.c 'no tests/unit/state/test_planted.c' <<<"$spdx"
plant unit tests/unit/state/test_planted_unit.c 'covers state/none.c, which does not exist' <<<"$spdx
/* Covers: none.c */"
plant words index/planted.c 'no SPDX line' <<<'int planted;'
plant words scripts/planted 'unfinished work' <<<"# TO""DO: later"
plant words README.planted 'path of one machine' <<<"see /ho""me/someone/file"

# Calls of other things with those names, and texts about them, are no violation.
mkdir -p "$copy/rpc"
printf '%s\n' "$spdx" '/* strcpy(a, b) */ int x = sizeof("rand(");' 'int t(struct s *c) { return c->time(c) + my_time(c); }' \
    >"$copy/rpc/planted.c"
out=$(scripts/lint --root "$copy" --only banned)
result "$(! grep -qF rpc/planted.c <<<"$out" && echo 1)" "banned is too eager: $out"
rm "$copy/rpc/planted.c"

# An exception works, and one that excuses nothing is told.
lines 1300 '' >"$copy/chain/planted.c"
printf 'size\tchain/planted.c\ta table\n' >>"$copy/scripts/lint-exceptions.tsv"
out=$(scripts/lint --root "$copy" --only size)
result "$(! grep -qF planted <<<"$out" && echo 1)" "the exception has no effect: $out"
rm "$copy/chain/planted.c"
out=$(scripts/lint --root "$copy" --only size)
result "$(grep -qF 'excuses nothing: size chain/planted.c' <<<"$out" && echo 1)" "a needless exception passes: $out"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
