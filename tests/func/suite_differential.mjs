// The same random transactions, one by one, on Anvil (revm) and on Callipter: equal receipts after each, equal accounts at the end.
//   SEED= the first seed (default 1), SEEDS= how many (1), CASES= transactions of each (300), TRACE=1 shows where executions part
import { keccak_256 } from "@noble/hashes/sha3.js";
import { RLP } from "@ethereumjs/rlp";
import { createMPT } from "@ethereumjs/mpt";
import { Anvil } from "./lib/anvil.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { SLOTS } from "./lib/program.mjs";
import { assert, counts } from "./lib/suite.mjs";
import { Traffic } from "./lib/traffic.mjs";

const FIRST = Number(process.env.SEED ?? 1);
const SEEDS = Number(process.env.SEEDS ?? 1);
const CASES = Number(process.env.CASES ?? 300);
const TRACE = Boolean(process.env.TRACE);
const LEAST_FAILING = 0.3;
const REFUSED_EVERY = 20;
const SEQUENCER = "0xa4b000000000000000000073657175656e636572"; // coinbase of sequenced blocks: warm, so it must be Anvil's too
const PRICE = "0x989680"; // of a unit of gas on the development chain: 0.01 gwei
const NO_CODE = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
const NO_STORAGE = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

const hex = (bytes) => "0x" + Buffer.from(bytes).toString("hex");
const lower = (text) => text?.toLowerCase() ?? null;

/** Two peers with equal accounts. */
class Pair {
  static async start() {
    const pair = new Pair();
    pair.ours = await Node.start();
    const head = await pair.ours.rpc("eth_getBlockByNumber", ["latest", false]);
    pair.theirs = await Anvil.start(pair.ours.chainId, Number(head.gasLimit), TRACE ? ["--steps-tracing"] : []);
    await pair.theirs.rpc("anvil_setCoinbase", [SEQUENCER]);
    return pair;
  }

  /** What both answer: [Callipter's, Anvil's]. */
  both(method, params) {
    return Promise.all([this.ours.rpc(method, params), this.theirs.rpc(method, params)]);
  }

  async nonce(address) {
    const [ours, theirs] = await this.both("eth_getTransactionCount", [address, "latest"]);
    assert.equal(ours, theirs, `nonce of ${address}`);
    return Number(ours);
  }

  async balance(address) {
    const [ours, theirs] = await this.both("eth_getBalance", [address, "latest"]);
    assert.equal(ours, theirs, `balance of ${address}`);
    return BigInt(ours);
  }

  async stop() {
    const end = await this.ours.stop();
    await this.theirs.stop();
    assert.equal(end.code, 0);
  }
}

/** The part of a receipt that is the same on any chain. */
const essence = (r) => ({
  status: r.status,
  type: r.type,
  gasUsed: Number(r.gasUsed),
  from: lower(r.from),
  to: lower(r.to),
  contractAddress: lower(r.contractAddress),
  logsBloom: r.logsBloom,
  logs: r.logs.map((l) => ({ address: lower(l.address), topics: l.topics, data: l.data })),
});

/** The first step at which two executions differ, for the report of a failure. */
async function firstDifference(pair, hash) {
  const trace = async (node) => (await node.rpc("debug_traceTransaction", [hash, {}])).structLogs;
  const [ours, theirs] = await Promise.all([trace(pair.ours), trace(pair.theirs)]);
  const show = (s) => s && `pc ${s.pc} ${s.op} gas ${s.gas} cost ${s.gasCost} depth ${s.depth} stack ${JSON.stringify(s.stack)}`;
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const same = (k) => ours[i]?.[k] === theirs[i]?.[k];
    if (["pc", "op", "gas", "depth"].every(same) && JSON.stringify(ours[i].stack) === JSON.stringify(theirs[i].stack)) continue;
    const where = `step ${i} of ${ours.length} and ${theirs.length}\n  before    ${show(ours[i - 1])}\n`;
    return `${where}  callipter ${show(ours[i])}\n  anvil     ${show(theirs[i])}`;
  }
  return "the traces are equal";
}

/** Sends one transaction to both and compares the receipts. */
async function step(pair, traffic, fees) {
  const { sender, tx, raw } = await traffic.next();
  await pair.theirs.rpc("anvil_setNextBlockBaseFeePerGas", [PRICE]);
  const [ours, theirs] = await pair.both("eth_sendRawTransactionSync", [raw]);
  try {
    assert.deepEqual(essence(ours), essence(theirs));
  } catch (e) {
    const shown = JSON.stringify(tx, (k, v) => (typeof v === "bigint" ? v.toString() : v));
    e.message += `\n${sender.address} sends ${shown}\n`;
    if (TRACE) e.message += await firstDifference(pair, ours.transactionHash).catch((x) => `no trace: ${x.message}`);
    throw e;
  }
  [ours, theirs].forEach((r, i) => {
    const paid = BigInt(r.gasUsed) * BigInt(r.effectiveGasPrice);
    fees[i].set(lower(sender.address), (fees[i].get(lower(sender.address)) ?? 0n) + paid);
  });
  traffic.learn(ours);
  return ours;
}

/** Sends one that both must refuse. */
async function refusedStep(pair, traffic) {
  const bad = await traffic.refused();
  if (!bad) return 0;
  const send = (node) => node.call("eth_sendRawTransaction", [bad.raw]);
  const [ours, theirs] = await Promise.all([send(pair.ours), send(pair.theirs)]);
  assert.ok(ours.error && theirs.error, `${bad.why}: ${JSON.stringify([ours, theirs])}`);
  counts.passed++;
  return 1;
}

/** An account with its fees added back; the roots stand for all of its code and storage. */
const account = (proof, fees) => ({
  nonce: Number(proof.nonce),
  balance: BigInt(proof.balance) + (fees.get(lower(proof.address)) ?? 0n),
  codeHash: BigInt(proof.codeHash) === 0n ? NO_CODE : proof.codeHash,
  storageHash: BigInt(proof.storageHash) === 0n ? NO_STORAGE : proof.storageHash,
});

/** Equal storage where the roots differ: Anvil's root counts slots that were set back to zero. Then every slot that programs use must be
 * equal on both, and these slots alone must give Callipter's root. */
async function compareStorage(pair, address, root) {
  const trie = await createMPT({ useKeyHashing: true });
  for (let slot = 0; slot < SLOTS; slot++) {
    const [ours, theirs] = await pair.both("eth_getStorageAt", [address, "0x" + slot.toString(16), "latest"]);
    assert.equal(ours, theirs, `slot ${slot} of ${address}`);
    const key = Buffer.from(slot.toString(16).padStart(64, "0"), "hex");
    if (BigInt(ours)) await trie.put(key, RLP.encode(BigInt(ours)));
  }
  assert.equal(hex(trie.root()), root, `storage of ${address} beyond slot ${SLOTS - 1}`);
}

/** Compares all accounts that may have been touched, and those created by them (address from creator and nonce). */
async function compareAccounts(pair, traffic, fees) {
  const todo = [...traffic.touched];
  const seen = new Set(todo);
  let withStorage = 0;
  for (let at = 0; at < todo.length; at++) {
    const address = todo[at];
    const proofs = await pair.both("eth_getProof", [address, [], "latest"]);
    const [ours, theirs] = proofs.map((p, i) => account(p, fees[i]));
    if (ours.storageHash !== theirs.storageHash) {
      await compareStorage(pair, address, ours.storageHash);
      theirs.storageHash = ours.storageHash;
    }
    assert.deepEqual(ours, theirs, `account ${address}`);
    counts.passed++;
    if (ours.storageHash !== NO_STORAGE) withStorage++;
    for (let n = 0; n < ours.nonce; n++) {
      const child = hex(keccak_256(RLP.encode([address, n])).slice(12));
      if (!seen.has(child)) todo.push(child);
      seen.add(child);
    }
  }
  return { accounts: todo.length, withStorage };
}

async function runSeed(seed) {
  const pair = await Pair.start();
  const keys = devAccounts(pair.ours).map((a) => a.key);
  const chain = {
    chainId: pair.ours.chainId,
    price: BigInt(PRICE),
    nonceOf: (a) => pair.nonce(a),
    balanceOf: (a) => pair.balance(a),
  };
  const traffic = new Traffic(seed, chain, keys);
  const fees = [new Map(), new Map()];
  const begun = performance.now();
  const tally = { failing: 0, refused: 0, created: 0, logs: 0, types: {} };
  let at = 0;
  try {
    for (; at < CASES; at++) {
      const receipt = await step(pair, traffic, fees);
      counts.passed++;
      if (at % REFUSED_EVERY === 0) tally.refused += await refusedStep(pair, traffic);
      if (receipt.status === "0x0") tally.failing++;
      if (receipt.contractAddress) tally.created++;
      tally.logs += receipt.logs.length;
      tally.types[Number(receipt.type)] = (tally.types[Number(receipt.type)] ?? 0) + 1;
    }
    const head = await pair.ours.rpc("eth_getBlockByNumber", ["latest", false]);
    assert.equal(head.miner, SEQUENCER);
    const { accounts, withStorage } = await compareAccounts(pair, traffic, fees);
    assert.ok(tally.failing >= LEAST_FAILING * CASES, `only ${tally.failing} of ${CASES} fail`);
    const types = Object.entries(tally.types).map(([t, n]) => `${n} of type ${t}`);
    console.log(
      `ok   seed ${seed}: ${CASES} transactions (${types.join(", ")}), ` +
        `${tally.failing} failing, ${tally.refused} more refused, ${tally.created} creations, ` +
        `${tally.logs} logs, ${accounts} accounts, ${withStorage} with storage (${Math.round(performance.now() - begun)} ms)`,
    );
  } catch (e) {
    counts.failed++;
    console.log(`FAIL seed ${seed}, transaction ${at} (SEED=${seed} CASES=${CASES})\n${e.message}\n${e.stack}`);
  }
  await pair.stop();
}

export async function run() {
  for (let i = 0; i < SEEDS; i++) await runSeed(FIRST + i);
}
