// How long one transaction takes to its durable receipt on an idle node, beside Anvil in its fastest setting and the disk itself.
// The measuring is `callipter bench latency`'s, which takes the three in turns; Node's event loop has no part in it.
//   COUNT= transactions (default 1000). TMPDIR must be on a disk.
import { spawn } from "node:child_process";
import { Anvil } from "./lib/anvil.mjs";
import { BINARY } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

const COUNT = Number(process.env.COUNT ?? 1000);
// The targets of one client on a quiet machine, over what the disk itself takes at the same quantile. A machine that misses them for
// another reason shows it in Anvil's figures too: twice those will do then.
const [P50_MAX_US, P99_MAX_US] = [1500, 10000];

function bench(args) {
  const child = spawn(BINARY, ["bench", "latency", "--json", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (d) => (out += d));
  child.stderr.on("data", (d) => (err += d));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

export async function run() {
  const anvil = await Anvil.startQuiet(41337, 100000000);
  await check("latency: a transaction to its durable receipt, beside Anvil and fdatasync", async () => {
    const r = await bench(["--peer", anvil.url, "--count", String(COUNT)]);
    assert.equal(r.code, 0, r.err);
    const { rows } = JSON.parse(r.out);
    const row = (kind, q) => rows.find((x) => x.name === `${kind}, ${q}`);
    for (const q of ["p50", "p90", "p99", "longest"]) {
      const [ours, disk] = [row("transaction to durable receipt", q), row("fdatasync of 4 KiB", q)];
      assert.match(ours.peer, /^anvil/);
      const us = (x) => `${x.toFixed(0)} us`.padStart(9);
      console.log(`     ${q.padEnd(7)} callipter, durable ${us(ours.value)}   ${ours.peer} ${us(ours.peer_value)}   fdatasync ${us(disk.value)}`);
      if (q === "p50") assert.ok(ours.value > disk.value, "a receipt came sooner than a sync takes");
      const most = { p50: P50_MAX_US, p99: P99_MAX_US }[q];
      const allowed = Math.max(most + disk.value, 2 * ours.peer_value);
      if (most) assert.ok(ours.value <= allowed, `${q} of ${us(ours.value)}, allowed ${us(allowed)}`);
    }
  });
  await check("latency: refuses to measure on a file system in memory", async () => {
    const child = spawn(BINARY, ["bench", "latency", "--count", "1"], { env: { ...process.env, TMPDIR: "/dev/shm" } });
    let err = "";
    child.stderr.on("data", (d) => (err += d));
    assert.notEqual(await new Promise((resolve) => child.on("close", resolve)), 0);
    assert.match(err, /is on a file system in memory/);
  });
  await anvil.stop("SIGKILL");
}
