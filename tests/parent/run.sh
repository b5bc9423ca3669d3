#!/usr/bin/env bash
# The parent's real contracts on Anvil (tests/parent/README.md). Builds nothing.
#   tests/parent/run.sh [SUITE...]     FILTER= names checks
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ ! -d "$root/scripts/l3/node_modules" ]; then
    echo "the parent's contracts are not installed: run scripts/setup all first" >&2
    exit 1
fi
exec node "$root/tests/parent/run.mjs" "$@"
