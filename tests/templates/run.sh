#!/usr/bin/env bash
# The contract templates: the artifacts in the tree are what the sources compile to, and forge's tests of them.
#   tests/templates/run.sh [forge's arguments, as --match-test testFuzz_cap -vvv]     RUNS= invariant runs, FUZZ= cases, SEED=
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
for dir in "$root/tests/func" "$root/tests/templates"; do
    if [ ! -d "$dir/node_modules" ]; then
        echo "the test packages are not installed: run scripts/setup test first" >&2
        exit 1
    fi
done
node "$root/genesis/contracts/build.mjs" --check
exec node "$root/tests/templates/forge.mjs" "$@"
