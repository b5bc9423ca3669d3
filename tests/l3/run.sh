#!/usr/bin/env bash
# The chain on a parent: Anvil with the real Orbit contracts, sequencer and validator (build/callipter, or $CALLIPTER).
#   tests/l3/run.sh [SUITE...]     suites: as run.mjs lists them; FILTER= names checks, TRACE=1 prints the nodes' logs
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export CALLIPTER=${CALLIPTER:-$root/build/callipter}
LIAR=${LIAR:-$(dirname "$CALLIPTER")/liar}
export LIAR=$(realpath -m "$LIAR")
if [ ! -x "$CALLIPTER" ]; then
    echo "$CALLIPTER is not there: run make first" >&2
    exit 1
fi
if [ ! -d "$root/tests/l3/node_modules" ] || [ ! -d "$root/scripts/l3/node_modules" ]; then
    echo "the packages are not installed: run scripts/setup test first" >&2
    exit 1
fi
cd "$root/tests/l3"
exec node run.mjs "$@"
