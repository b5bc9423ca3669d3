#!/usr/bin/env bash
# The README's two commands in a fresh Debian 12: debootstrap makes a root folder, the committed tree is cloned into it, `make
# run` must answer eth_chainId and the README's curl lines, `make run-l3 DEMO=1` must end well,
# and with TEST=1 `make test` must pass. Needs root and debootstrap.
# BARE_ROOT keeps the downloaded base system for another run (default build/bare-base). Ends with `N passed, N failed`.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=${BARE_ROOT:-build/bare-base}
root=$(pwd)/build/bare-root
passed=0 failed=0
check() { # name, command...
    local name=$1
    shift
    if "$@"; then passed=$((passed + 1)) && echo "ok $name"; else failed=$((failed + 1)) && echo "FAILED $name"; fi
}
unmount() { for m in proc sys dev; do umount -l "$root/$m" 2>/dev/null || true; done; }
trap unmount EXIT

mkdir -p build
[ -d "$base/usr" ] || debootstrap --variant=minbase bookworm "$base" >build/debootstrap.log
unmount
rm -rf "$root"
cp -a "$base" "$root"
for m in proc sys dev; do mount --rbind "/$m" "$root/$m" && mount --make-rslave "$root/$m"; done
# The machine's own way to its package registries.
cp /etc/resolv.conf "$root/etc/"
cp -r /etc/apt/sources.list.d "$root/etc/apt/" 2>/dev/null || true
mkdir -p "$root/etc/ssl/certs" "$root/usr/share/keyrings"
cp -rn /usr/share/keyrings/. "$root/usr/share/keyrings/"
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    mkdir -p "$root/usr/local/share/ca-certificates"
    cp -rL /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
fi
git clone -q . "$root/callipter"
if [ -d ../shared/corpora ]; then
    mkdir -p "$root/shared"
    cp -r ../shared/corpora "$root/shared/"
fi
in_root() { chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }

# A bare machine has no make: the one command that the README asks for before the two.
in_root sh -c 'apt-get update -qq && apt-get install -y -qq make git' >build/bare-apt.log 2>&1

set -m # a process group of its own, which is ended whole
in_root sh -c 'cd /callipter && make run ARGS="--http 127.0.0.1:18545"' >build/bare-run.log 2>&1 &
run=$!
set +m
answer=""
for _ in $(seq 600); do
    answer=$(curl -s -m 2 -H 'content-type: application/json' http://127.0.0.1:18545 \
        -d '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}' || true)
    [ -n "$answer" ] && break
    kill -0 "$run" 2>/dev/null || break
    sleep 1
done
echo "eth_chainId: $answer"
check "make run answers eth_chainId" test "$answer" = '{"jsonrpc":"2.0","id":1,"result":"0xa179"}'
# Its lines from nothing to a transferred token, as they stand there but for the port; the last answer stands there too.
balance=""
while read -r line; do
    balance=$(cd "$root/callipter" && bash -c "${line//127.0.0.1:8545/127.0.0.1:18545}" || true)
done < <(grep '^curl ' README.md)
echo "balance: $balance"
check "the README's curl lines transfer a token" grep -qxF -- "${balance:-nothing}" README.md
kill -TERM -- "-$run" 2>/dev/null || true
wait || true
demo=$(in_root sh -c 'cd /callipter && make run-l3 DEMO=1' 2>build/bare-demo.err | tee build/bare-demo.log | tail -1 || true)
echo "demonstration: $demo"
check "make run-l3 DEMO=1 ends with a withdrawal" test "$demo" = "withdrawal executed"
if [ "${TEST:-0}" = 1 ]; then
    check "make test" in_root sh -c 'cd /callipter && make test'
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
