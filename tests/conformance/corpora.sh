#!/usr/bin/env bash
# Runs the state or block tests of $CORPORA in both tiers and compares how many cases ran, per fork, with what the corpora's
# own manifest says: a runner that overlooks cases fails here.
#   tests/conformance/corpora.sh state|block [ARGUMENTS of the runner...]
# Ends with `N passed, N failed`; a wrong count is one failure more.
set -uo pipefail
cd "$(dirname "$0")/../.."
kind=$1
shift
case $kind in
state) command=statetest folder=state_tests ;;
block) command=blocktest folder=blockchain_tests ;;
*) exit 2 ;;
esac
binary=${CALLIPTER:-${B:-build/gcc-release}/callipter}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$binary" $command --tier both --jobs "${JOBS:-2}" "$@" "$CORPORA/$folder" >"$out"
status=$?
grep -v ' passed, ' "$out"
read -r passed failed skipped < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed(, ([0-9]+) skipped)?.*/\1 \2 \4/p' "$out")

if [ ! -f "$CORPORA/MANIFEST.tsv" ]; then
    echo "no MANIFEST.tsv in $CORPORA: the counts were not compared"
    echo "$passed passed, $failed failed"
    exit $status
fi
# Columns of the manifest: path, bytes, sha256, entries, cases, Cancun, Prague, Osaka, other forks.
expected=$(awk -F'\t' -v f="^$folder/" '$1 ~ f { all += $5; c += $6; p += $7; o += $8 }
    END { print "cases", all; print "Cancun", c; print "Prague", p; print "Osaka", o }' "$CORPORA/MANIFEST.tsv")
wrong=0
while read -r name want; do
    if [ "$name" = cases ]; then
        got=$((passed + failed + ${skipped:-0}))
    else
        got=$(sed -nE "s/^$name: ([0-9]+) run, [0-9]+ failed, ([0-9]+) left out.*/\1 + \2/p" "$out")
        got=$((${got:-0}))
    fi
    echo "$name: $got run or left out by name, the manifest has $want"
    [ "$got" = "$want" ] || wrong=$((wrong + 1))
done <<<"$expected"
echo "$passed passed, $((failed + wrong)) failed${skipped:+, $skipped skipped}"
[ $status = 0 ] && [ $wrong = 0 ]
