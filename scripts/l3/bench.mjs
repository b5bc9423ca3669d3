// From nothing to items minted through the API on an L3 with a parent's real contracts, all of them posted there: `make bench`.
//   node bench.mjs [--json] [--items 10000] [--parallel 4]
// Rows like those of `callipter bench`. Each of the players gets one item of each class; their addresses and the items' references
// are hashes, so that batches are compressed no better than a game's. "bytes" are the calldata of the parent's transactions
// that post the blocks with the items.
import { execFileSync } from "node:child_process";
import os from "node:os";
import { parseArgs } from "node:util";
import { keccak256, parseAbi, parseEther, sliceHex, stringToHex } from "viem";
import { roles } from "./accounts.mjs";
import { abis } from "./deploy-parent.mjs";
import { itemList, makeGame, mint } from "./game.mjs";
import { binary, deposit, startL3 } from "./run.mjs";

const CLASSES = 10;
const REQUEST_ITEMS = 1000;
const POSTED_MS = 120000;
const NODE_INTERFACE = "0x00000000000000000000000000000000000000C8";
const nodeInterface = parseAbi(["function findBatchContainingBlock(uint64 block) view returns (uint64)"]);

const hash = (text) => keccak256(stringToHex(text));
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

/** Mints `count` items with so many requests at a time; gives the transactions. */
async function mintAll(game, count, parallel) {
  const hashes = [];
  let next = 0;
  const player = (i) => sliceHex(hash(`player ${Math.floor(i / CLASSES)}`), 12);
  const items = (first, n) =>
    itemList(first, n, CLASSES, player).map((item) => ({ ...item, referenceId: hash(item.referenceId) }));
  const worker = async () => {
    while (next < count) {
      const first = next;
      next += REQUEST_ITEMS;
      hashes.push(...(await mint(game, items(first, Math.min(REQUEST_ITEMS, count - first)))));
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return hashes;
}

/** The batch with a block, once it is on the parent. */
async function batchOf(l3, number) {
  for (const end = Date.now() + POSTED_MS; ; await sleep(50)) {
    const call = { address: NODE_INTERFACE, abi: nodeInterface, functionName: "findBatchContainingBlock", args: [number] };
    const batch = await l3.child.public.readContract(call).catch(() => undefined);
    if (batch !== undefined) return batch;
    if (Date.now() > end) throw new Error(`block ${number} is not posted after ${POSTED_MS} ms`);
  }
}

/** What posting batches `first` to `last` took on the parent. */
async function posting(l3, first, last) {
  const sum = { batches: 0, bytes: 0, gas: 0 };
  const { sequencerInbox: address } = l3.deployment;
  const what = { address, abi: abis.sequencerInbox, eventName: "SequencerBatchDelivered", fromBlock: 0n };
  for (const e of await l3.parent.public.getContractEvents(what)) {
    if (e.args.batchSequenceNumber < first || e.args.batchSequenceNumber > last) continue;
    const tx = await l3.parent.public.getTransaction({ hash: e.transactionHash });
    const receipt = await l3.parent.public.getTransactionReceipt({ hash: e.transactionHash });
    sum.batches++;
    sum.bytes += (tx.input.length - 2) / 2;
    sum.gas += Number(receipt.gasUsed);
  }
  return sum;
}

/** Each item once: what the contract counts. */
async function checkSupply(l3, game, count) {
  const abi = parseAbi(["function totalSupply(uint256 id) view returns (uint256)"]);
  let total = 0n;
  for (let id = 1n; id <= CLASSES; id++)
    total += await l3.child.public.readContract({ address: game.items, abi, functionName: "totalSupply", args: [id] });
  if (total !== BigInt(count)) throw new Error(`${total} items on the chain, not ${count}`);
}

async function measure(count, parallel) {
  const rows = [];
  const row = (name, value, unit) => rows.push({ bench: "mint", name, value, unit });
  const begun = performance.now();
  const l3 = await startL3();
  row("parent, contracts, sequencer, 2 validators up", (performance.now() - begun) / 1000, "s");
  await deposit(l3, roles.operator, "10");
  const asked = { slug: "bench", owner: roles.user.address, gas: parseEther("5"), classes: CLASSES, supply: 0 };
  const game = await makeGame(l3.sequencer.url, l3.adminKey, asked);
  const ready = performance.now();
  row("deposit, universe, contract, 10 classes", (ready - begun) / 1000 - rows[0].value, "s");
  const hashes = await mintAll(game, count, parallel);
  const done = performance.now();
  row(`${count} items minted by API`, (done - ready) / 1000, "s");
  row("all of it, from nothing", (done - begun) / 1000, "s");
  row("items a second", count / ((done - ready) / 1000), "1/s");
  let gas = 0n;
  const blocks = [];
  for (const hash of hashes) {
    const r = await l3.child.public.getTransactionReceipt({ hash });
    if (r.status !== "success") throw new Error(`${hash} failed`);
    gas += r.gasUsed;
    blocks.push(r.blockNumber);
  }
  await checkSupply(l3, game, count);
  blocks.sort((a, b) => (a < b ? -1 : 1));
  row("gas an item", Number(gas) / count, "gas");
  const [first, last] = [await batchOf(l3, blocks[0]), await batchOf(l3, blocks.at(-1))];
  row("then until they are on the parent", (performance.now() - done) / 1000, "s");
  const posted = await posting(l3, first, last);
  row(`parent bytes an item, in ${posted.batches} batches`, posted.bytes / count, "bytes");
  row("parent gas an item", posted.gas / count, "gas");
  if (!(await l3.stop())) throw new Error("a node did not stop cleanly");
  return rows;
}

async function main() {
  const { values } = parseArgs({
    options: {
      json: { type: "boolean" },
      items: { type: "string", default: "10000" },
      parallel: { type: "string", default: "4" },
    },
  });
  const [count, parallel] = [Number(values.items), Number(values.parallel)];
  if (![count, parallel].every((n) => Number.isInteger(n) && n > 0)) throw new Error("--items and --parallel want numbers from 1");
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
  const rows = await measure(count, parallel);
  const machine = os.cpus()[0]?.model ?? "unknown";
  const commit = /-([0-9a-f]+)\//.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown";
  if (values.json) console.log(JSON.stringify({ machine, commit, rows }));
  else {
    console.log(`machine: ${machine}; commit ${commit}`);
    for (const r of rows)
      console.log(`${r.bench.padEnd(10)} ${r.name.padEnd(44)} ${r.value.toPrecision(4).padStart(12)} ${r.unit}`);
  }
  process.exit(0);
}

main().catch((e) => {
  console.error(e.shortMessage ?? e.message);
  process.exit(1);
});
