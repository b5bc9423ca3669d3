#!/usr/bin/env bash
# The heavier clients against the real binary (build/callipter, or $CALLIPTER). Builds nothing.
#   tests/func/clients/run.sh [SUITE...]     suites: viem ethers web3 metamask forge hardhat; FILTER= names checks
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
export CALLIPTER=${CALLIPTER:-$root/build/callipter}
CALLIPTER=$(realpath "$CALLIPTER")
if [ ! -x "$CALLIPTER" ]; then
    echo "$CALLIPTER is not there: run make first" >&2
    exit 1
fi
for dir in "$root/tests/func" "$root/tests/func/clients"; do
    if [ ! -d "$dir/node_modules" ]; then
        echo "the test clients are not installed: run scripts/setup all first" >&2
        exit 1
    fi
done
cd "$root/tests/func/clients"
exec node run.mjs "$@"
