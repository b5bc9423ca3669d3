#!/usr/bin/env bash
# Functional tests: the real binary (build/callipter, or $CALLIPTER) with real clients. Builds nothing.
#   tests/func/run.sh [SUITE...]     suites: as run.mjs lists them; FILTER= names checks, ROUNDS= kills
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export CALLIPTER=${CALLIPTER:-$root/build/callipter}
if [ ! -x "$CALLIPTER" ]; then
    echo "$CALLIPTER is not there: run make first" >&2
    exit 1
fi
if [ ! -d "$root/tests/func/node_modules" ]; then
    echo "the test clients are not installed: run scripts/setup test first" >&2
    exit 1
fi
cd "$root/tests/func"
exec node run.mjs "$@"
