// No crash loses what was acknowledged: kill -9 under load from fifty accounts (ROUNDS=), and power failures at any moment of a run of
// the real program, worked out from a trace of all that it wrote (IMAGES=; CRASH_TOOLS= is the folder where `make crash-tools` put its
// tools). SEED= is printed.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Load } from "./lib/load.mjs";
import { BINARY, Node, devAccounts, tempDir } from "./lib/node.mjs";
import { Random } from "./lib/random.mjs";
import { assert, check } from "./lib/suite.mjs";
import { privateKeyToAccount } from "viem/accounts";

const ROUNDS = Number(process.env.ROUNDS ?? 8);
const IMAGES = Number(process.env.IMAGES ?? 40);
const SEED = Number(process.env.SEED ?? 1);
const ACCOUNTS = 50;
const LOAD_MS = 3000; // of the recorded run, before and after a restart
const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
// Small segments and early checkpoints, so that a short load crosses many of both.
const FLAGS = ["--log-segment-kib", "64", "--checkpoint-rows", "3000"];
const VARIANTS = ["lost", "kept", "torn", "shuffled"];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function verify(dir) {
  const r = spawnSync(BINARY, ["db", "verify", "--datadir", dir], { encoding: "utf8" });
  assert.equal(r.status, 0, `db verify: ${r.stdout}${r.stderr}`);
}

/** Starts the node and kills it before it may have come up. */
async function killWhileStarting(dir, ms) {
  const child = spawn(BINARY, ["run", "--dev", "--http", "127.0.0.1:0", "--datadir", dir, ...FLAGS], { stdio: "ignore" });
  const end = new Promise((resolve) => child.on("exit", resolve));
  await pause(ms);
  child.kill("SIGKILL");
  await end;
}

async function noFaults(node, entries) {
  const faults = await Load.faults(node, entries);
  assert.equal(faults.length, 0, `${faults.length} faults:\n${faults.slice(0, 5).join("\n")}`);
}

async function killUnderLoad() {
  const rng = new Random(SEED);
  const dir = tempDir();
  let node = await Node.start(dir, FLAGS);
  const load = new Load(node, ACCOUNTS, SEED);
  await load.fund();
  for (let round = 0; round < ROUNDS; round++) {
    const before = load.acked.length;
    const running = load.start(node);
    await Promise.race([pause(rng.between(100, 1200)), running]); // how long the load runs
    for (let i = 0; i < 200 && load.acked.length < before + 20; i++) await Promise.race([pause(50), running]);
    await node.stop("SIGKILL");
    await running;
    assert.ok(load.acked.length >= before + 20, `round ${round}: only ${load.acked.length - before} were acknowledged`);
    if (round % 4 === 1) await killWhileStarting(dir, rng.below(120));
    if (round % 4 === 3) verify(dir); // not always: recovery must not depend on it
    node = await Node.start(dir, FLAGS);
    const older = Array.from({ length: 200 }, () => load.acked[rng.below(load.acked.length)]);
    await noFaults(node, [...load.acked.slice(before), ...older]);
  }
  await noFaults(node, load.acked);
  const end = await node.stop();
  assert.equal(end.code, 0);
  verify(dir);
  const ahead = load.acked.filter((e) => e.kind === "queued").length;
  console.log(`     ${ROUNDS} rounds, ${load.acked.length} acknowledged (${ahead} ahead of their turn), all there`);
}

/** The lowest block that is there with its transactions; 1: nothing was dropped. */
async function firstWhole(node) {
  let [low, high] = [1, Number(await node.rpc("eth_blockNumber"))];
  while (low < high) {
    const mid = Math.floor((low + high) / 2);
    const { error } = await node.call("eth_getBlockByNumber", [`0x${mid.toString(16)}`, false]);
    if (error) assert.equal(error.code, 4444);
    if (error) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** What was acknowledged is there, or its block has gone by its age: then at least its nonce is used and it was seen before. */
async function noFaultsButAge(node, entries, seen) {
  const faults = [];
  for (let at = 0; at < entries.length; at += 100) {
    const part = entries.slice(at, at + 100);
    const ask = (method, params) => node.post(part.map((e, id) => ({ jsonrpc: "2.0", id, method, params: params(e) })));
    const receipts = await ask("eth_getTransactionReceipt", (e) => [e.hash]);
    const counts = await ask("eth_getTransactionCount", (e) => [e.from, "latest"]);
    const first = await firstWhole(node);
    for (const [i, e] of part.entries()) {
      const receipt = receipts[i].result;
      if (receipt) {
        const block = Number(receipt.blockNumber);
        if (seen.has(e.hash) && seen.get(e.hash) !== block) faults.push(`${e.hash} moved`);
        seen.set(e.hash, block);
      } else if (e.kind !== "in turn") {
        continue; // may still wait, or be replaced
      } else if (Number(counts[i].result) <= e.nonce) {
        faults.push(`${e.hash} was durable, its nonce is free`);
      } else if (receipts[i].error?.code !== 4444 && (first === 1 || (seen.get(e.hash) ?? 0) >= first)) {
        faults.push(`${e.hash} went before its time (block ${seen.get(e.hash)}, whole from ${first})`);
      }
    }
  }
  assert.equal(faults.length, 0, `${faults.length} faults:\n${faults.slice(0, 5).join("\n")}`);
}

/** Segments go while the node is killed again and again. */
async function killWhilePruning() {
  const rng = new Random(SEED + 2);
  const flags = [...FLAGS.slice(0, 2), "--checkpoint-rows", "500", "--history-seconds", "1"];
  const dir = tempDir();
  let node = await Node.start(dir, flags);
  const load = new Load(node, ACCOUNTS, SEED + 2);
  const seen = new Map();
  let dropped = 1;
  await load.fund();
  for (let round = 0; round < ROUNDS; round++) {
    const before = load.acked.length;
    const running = load.start(node);
    await Promise.race([pause(rng.between(1500, 4000)), running]);
    for (let i = 0; i < 200 && load.acked.length < before + 20; i++) await Promise.race([pause(50), running]);
    const first = await firstWhole(node);
    if (first > dropped) dropped = first;
    await node.stop("SIGKILL");
    await running;
    if (round % 2 === 1) verify(dir);
    node = await Node.start(dir, flags);
    await noFaultsButAge(node, load.acked.slice(before), seen);
  }
  await noFaultsButAge(node, load.acked, seen);
  const end = await node.stop();
  assert.equal(end.code, 0);
  verify(dir);
  assert.ok(dropped > 1, "nothing was dropped in the whole test");
  console.log(`     ${ROUNDS} rounds, ${load.acked.length} acknowledged, blocks below ${dropped} dropped`);
}

/* --- power failures ------------------------------------------------------------------------ */

/** Runs a tool of $CRASH_TOOLS; its lines. */
function tool(...args) {
  const file = path.resolve(ROOT, process.env.CRASH_TOOLS, "sim-crash_image");
  const r = spawnSync(file, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(r.status, 0, `${file} ${args.join(" ")}: ${r.stderr}${r.error ?? ""}`);
  return r.stdout.split("\n").filter(Boolean);
}

/** A loaded run, written down call by call: {trace, load, steps}. `drop`: files whose syncs are left out. */
async function record(drop = "") {
  const dir = tempDir();
  const [root, trace] = [path.join(dir, "disk"), path.join(dir, "trace")];
  mkdirSync(root);
  const env = {
    LD_PRELOAD: path.resolve(ROOT, process.env.CRASH_TOOLS, "crash_shim.so"),
    CRASH_ROOT: root,
    CRASH_TRACE: trace,
    CRASH_SOCKETS: "1",
    CRASH_DROP_SYNC: drop,
  };
  const node = await Node.start(path.join(root, "data"), FLAGS, env);
  const load = new Load(node, ACCOUNTS, SEED);
  await load.fund();
  const running = load.start(node);
  await Promise.race([pause(LOAD_MS), running]);
  await load.stop();
  for (const e of load.sent.values()) {
    const receipt = await node.rpc("eth_getTransactionReceipt", [e.hash]);
    if (receipt) e.blockHash = receipt.blockHash;
  }
  await node.stop(); // SEAL, the last checkpoint
  rmSync(root, { recursive: true });
  const steps = tool("steps", trace).map((line) => Number(line.split(" ")[0]));
  return { dir, trace, load, steps };
}

/** The node on the disk as a failure after `step` would leave it. Throws what is wrong. */
async function tryImage(run, step, variant, seed) {
  const disk = path.join(run.dir, "image");
  try {
    const answered = new Set(tool("make", run.trace, String(step), variant, String(seed), disk));
    const node = await Node.start(path.join(disk, "data"), FLAGS);
    try {
      const promised = [...answered].map((hash) => run.load.sent.get(hash)).filter((e) => e !== undefined);
      await noFaults(node, promised);
      const [dev] = devAccounts(node).slice(1);
      const raw = await privateKeyToAccount(dev.key).signTransaction({
        type: "eip1559",
        chainId: node.chainId,
        nonce: 0,
        to: dev.address,
        gas: 21000n,
        maxFeePerGas: 10n ** 12n,
        maxPriorityFeePerGas: 0n,
      });
      await node.rpc("eth_sendRawTransaction", [raw]); // and it goes on
      return promised.length;
    } finally {
      const end = await node.stop();
      if (end.code === 0) verify(path.join(disk, "data"));
      else assert.fail(`the node ended with ${JSON.stringify(end)}\n${node.err}`);
    }
  } finally {
    rmSync(disk, { recursive: true, force: true });
  }
}

async function powerFails() {
  const rng = new Random(SEED + 1);
  const run = await record();
  let promises = 0;
  for (let i = 0; i < IMAGES; i++) {
    // One from each part of the run, so that few images spread over it as well.
    const step = run.steps[Math.floor(((i + rng.u32() / 2 ** 32) * run.steps.length) / IMAGES)];
    const variant = VARIANTS[i % VARIANTS.length];
    const seed = rng.u32();
    try {
      promises += await tryImage(run, step, variant, seed);
    } catch (e) {
      throw new Error(`after step ${step}, ${variant}, seed ${seed}: ${e.stack}`);
    }
  }
  console.log(
    `     ${run.steps.length} writes and syncs with ${run.load.acked.length} acknowledgements; ${IMAGES} images, ${promises} promises kept`,
  );
  rmSync(run.trace);
}

/** Without the log's syncs the same test must find fault, else it is blind. */
async function control() {
  const run = await record("/blocks-");
  let bad = 0;
  for (const part of [0.5, 0.7, 0.9]) {
    const step = run.steps[Math.floor(part * run.steps.length)];
    await tryImage(run, step, "lost", 1).catch(() => bad++);
  }
  assert.ok(bad > 0, "no image was bad although the log was never synced");
  rmSync(run.trace);
}

export async function run() {
  console.log(`     SEED=${SEED}`);
  await check("crash: kill -9 under load from fifty accounts loses nothing that was acknowledged", killUnderLoad);
  await check("crash: kill -9 while segments go", killWhilePruning);
  if (process.env.CRASH_TOOLS === undefined) return;
  await check("crash: the power may fail at any moment", powerFails);
  await check("crash: control: without syncs of the log it finds fault", control);
}
