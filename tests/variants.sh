#!/usr/bin/env bash
# The same tests on every variant of the hot primitives (base/cpu.h) and with both ways of recovering senders: what this
# machine's fastest code does, the plain one does too. Goes through unit tests of base, state and chain, state tests in both
# tiers, random transactions beside Anvil, roots recomputed by another implementation, and the core of the functional suites.
#   tests/variants.sh [CPU/RECOVER...]     default: {portable,avx2,best}/{libsecp256k1,vectorised}
# A processor without an extension runs the next lower variant, and vectorised recovery needs AVX-512: each round says what is in
# force, and one in which that is the same as in an earlier one is not run again. Ends with `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
export B=${B:-build/gcc-release} JOBS=${JOBS:-2}
B=$(cd "$B" && pwd)
export CALLIPTER=${CALLIPTER:-$B/callipter}
[ $# -gt 0 ] || set -- {portable,avx2,best}/{libsecp256k1,vectorised}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0 met=$'\n'

# one NAME COMMAND...: runs it and adds up what it counted; a bad end without a failure counted is one.
one() {
    local name=$1 p f status start=$SECONDS
    shift
    "$@" >"$out/log" 2>&1 </dev/null
    status=$?
    read -r p f < <(awk '
        match($0, /([0-9]+) passed, ([0-9]+) failed/) { split(substr($0, RSTART, RLENGTH), w, " "); p += w[1]; f += w[3] }
        /Synthesis: Tested:/ { gsub(/[^0-9 ]/, ""); split($0, w, " "); p += w[2]; f += w[3] + w[4] }
        END { print p + 0, f + 0 }' "$out/log")
    if [ $status -ne 0 ] && [ "$f" = 0 ]; then f=1; fi
    if [ $((p + f)) = 0 ]; then f=1; fi
    printf '  %-14s %6d passed %4d failed %4d s\n' "$name" "$p" "$f" $((SECONDS - start))
    [ "$f" = 0 ] || tail -n 30 "$out/log"
    passed=$((passed + p)) failed=$((failed + f))
}

for variant in "$@"; do
    export CALLIPTER_CPU=${variant%/*} CALLIPTER_RECOVER=${variant#*/}
    force=$("$CALLIPTER" bench keccak | sed -n "1s/.*; \(keccak=[^;]*\);.*/\1/p")
    echo "$variant: $force"
    [ -n "$force" ] || exit 2
    [[ $met != *$'\n'"$force"$'\n'* ]] || continue
    met+=$force$'\n'
    for floor in base state chain; do
        one "unit $floor" "$B/unit-$floor" "-j$JOBS"
    done
    one state "$CALLIPTER" statetest --tier both --jobs "$JOBS" tests/vectors/state
    [ -z "${CORPORA:-}" ] || one "state sample" "$CALLIPTER" statetest --tier both --jobs "$JOBS" "$CORPORA/state_tests/eest/osaka"
    CASES=${CASES:-150} one differential tests/func/run.sh differential
    BLOCKS=${BLOCKS:-100} one roots tests/func/run.sh roots
    one func tests/func/run.sh viem rpc ws
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
