// `callipter bench` beside Anvil, each bench as small as it can be: everything that is to be printed is, as a table and as JSON, and both
// did equal work. The figures themselves mean nothing here.
import { spawn } from "node:child_process";
import { ANVIL } from "./lib/anvil.mjs";
import { BINARY } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

const WORKS = ["transfer", "ERC-20 transfer", "ERC-1155 mint", "ERC-1155 mintBatch of 10"];
const TRANSPORTS = ["single, 32 x 16 pipelined", "batches of 50", "WebSocket, 32 x 16"];
const SMALL = ["--accounts", "20500", "--count", "240", "--peer", ANVIL];

function bench(args) {
  const child = spawn(BINARY, ["bench", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (d) => (out += d));
  child.stderr.on("data", (d) => (err += d));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

async function rowsOf(args) {
  const r = await bench([...args, ...SMALL, "--json"]);
  assert.equal(r.code, 0, r.err);
  const said = JSON.parse(r.out);
  assert.ok(said.machine && said.cores > 0 && said.variants && /^[0-9a-f]+$|^unknown$/.test(said.commit), r.out.slice(0, 200));
  return (name) => {
    const row = said.rows.find((x) => x.name === name);
    assert.ok(row, `no row "${name}" in ${said.rows.map((x) => x.name).join("; ")}`);
    return row;
  };
}

/** A median with its ratio to Anvil's of the same runs. */
function compared(row, runs) {
  assert.equal(row.peer, "Anvil", row.name);
  assert.ok(row.value > 0 && row.peer_value > 0 && row.ratio > 0, row.name);
  assert.equal(row.runs, runs);
  assert.ok(row.ratios[0] <= row.ratio && row.ratio <= row.ratios[1], `${row.name}: ${row.ratio} of ${row.ratios}`);
}

export async function run() {
  await check("bench: durable prints every load over every transport, and the work is equal", async () => {
    const row = await rowsOf(["durable", "--runs", "2"]);
    for (const what of ["file system of the data folder", "accounts", "accounts of the peer", "cores", "peer"]) assert.ok(row(what).text);
    for (const work of WORKS) {
      for (const transport of TRANSPORTS)
        for (const recover of ["libsecp256k1", "vectorised"]) compared(row(`${work}, ${transport}, ${recover}`), 2);
      const gas = row(`${work}, gas each`);
      assert.ok(Math.abs(gas.value / gas.peer_value - 1) < 0.005, `${work}: ${gas.value} gas, the peer's ${gas.peer_value}`);
      for (const what of ["blocks, vectorised", "syncs of the log for all of them, vectorised", "bytes on the parent chain each"])
        assert.ok(row(`${work}, ${what}`).value > 0);
    }
    for (const q of ["p50", "p99"]) assert.ok(row(`fdatasync of the log, ${q} below`).value > 0);
  });
  await check("bench: pace prints both gaps, idle and loaded", async () => {
    const row = await rowsOf(["pace"]);
    for (const gap of ["1 ms", "default"])
      for (const q of ["p50", "p90", "p99", "longest"]) {
        compared(row(`transaction to durable receipt, gap ${gap}, 100/s, ${q}`), 1);
        assert.ok(row(`transaction to durable receipt, gap ${gap}, 5,000/s, ${q}`).value > 0);
      }
  });
  await check("bench: the table says the same", async () => {
    const r = await bench(["durable", "--only", "ERC-1155 mint", ...SMALL]);
    assert.equal(r.code, 0, r.err);
    assert.match(r.out, /^machine: .+, \d+ cores; .*; commit \S+$/m);
    assert.match(r.out, /^durable +ERC-1155 mint, batches of 50, vectorised +\S+ 1\/s +\S+ Anvil +\S+x$/m);
    assert.doesNotMatch(r.out, /mintBatch of 10,|ERC-20/);
  });
  await check("bench: refuses a file system in memory", async () => {
    const child = spawn(BINARY, ["bench", "durable", "--count", "10"], { env: { ...process.env, TMPDIR: "/dev/shm" } });
    let err = "";
    child.stderr.on("data", (d) => (err += d));
    assert.notEqual(await new Promise((resolve) => child.on("close", resolve)), 0);
    assert.match(err, /is on a file system in memory/);
  });
}
