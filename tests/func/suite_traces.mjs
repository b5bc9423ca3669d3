// What happened inside random transactions, as Callipter and Anvil (revm) tell it: the tree of calls, each instruction, what changed.
// Then what clients make of traces, overrides, access lists, filled transactions and signatures.
//   SEED= (default 1), CASES= transactions (60)
// Where the two mean different things, Callipter follows geth: gas of the outermost call is the transaction's; an instruction that
// cannot be paid shows what was known of its cost, and CREATE's cost is without the gas it hands on; a failed frame has no logs; the
// refund counter is the transaction's. These are not compared.
import { JsonRpcProvider, verifyMessage, verifyTypedData } from "ethers";
import { createPublicClient, http, keccak256, parseTransaction } from "viem";
import { Anvil } from "./lib/anvil.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check, counts } from "./lib/suite.mjs";
import { Traffic } from "./lib/traffic.mjs";

const SEED = Number(process.env.SEED ?? 1);
const CASES = Number(process.env.CASES ?? 60);
const SEQUENCER = "0xa4b000000000000000000073657175656e636572";
const FEE_ACCOUNT = "0xbcd4042de499d14e55001ccbb24a551f3b954096"; // who earns fees on the development chain; nobody on Anvil
const PRICE = "0x989680";
const BLOCK = new Set(["GASPRICE", "COINBASE", "TIMESTAMP", "NUMBER", "DIFFICULTY", "GASLIMIT", "SELFBALANCE", "BASEFEE", "BLOBBASEFEE"]);
const word = (h) => "0x" + h.replace(/^0x/, "").padStart(64, "0");
const lower = (o) => JSON.parse(JSON.stringify(o).toLowerCase());

let frames = 0;
let steps = 0;

/** Ours against theirs, frame by frame. */
function compareCalls(ours, theirs, path = "root") {
  frames++;
  assert.equal(ours.type, theirs.type, path);
  if (ours.type === "selfdestruct") return; // Anvil has no addresses for most of them
  for (const key of ["from", "to", "input", "output", "value", "gasUsed"])
    assert.equal(ours[key], theirs[key], `${key} of ${path} (${ours.type}, ${ours.error ?? "no error"})`);
  if (path !== "root") assert.equal(ours.gas, theirs.gas, `gas of ${path}`);
  assert.equal(Boolean(ours.error), Boolean(theirs.error), `${path}: ${ours.error} and ${theirs.error}`);
  if (ours.error === "execution reverted") assert.equal(theirs.error, ours.error, path);
  const [a, b] = [ours.calls ?? [], theirs.calls ?? []];
  assert.equal(a.length, b.length, `calls of ${path}`);
  a.forEach((f, i) => compareCalls(f, b[i], `${path}.${i} ${f.type}`));
  const logs = (f) => (f.logs ?? []).map(({ index, ...rest }) => rest); // Anvil counts logs that were undone
  if (!ours.error) assert.deepEqual(logs(ours), logs(theirs), `logs of ${path}`);
}

/** The logs of a tree of calls in the order in which they were emitted. */
function emitted(frame) {
  const out = [];
  const logs = [...(frame.logs ?? [])];
  (frame.calls ?? []).forEach((f, i) => {
    while (logs.length && Number(logs[0].position) <= i) out.push(logs.shift());
    out.push(...emitted(f));
  });
  return out.concat(logs);
}

/** Logs of frames that failed, or that lie in one that did, exist no more. */
function dropDeadLogs(frame, dead = false) {
  dead ||= Boolean(frame.error);
  if (dead) delete frame.logs;
  for (const f of frame.calls ?? []) dropDeadLogs(f, dead);
  return frame;
}

function compareSteps(ours, theirs) {
  assert.equal(ours.gas, theirs.gas);
  assert.equal(ours.failed, theirs.failed);
  assert.equal(ours.returnValue, "0x" + theirs.returnValue.replace(/^0x/, ""));
  assert.equal(ours.structLogs.length, theirs.structLogs.length, "number of steps");
  ours.structLogs.forEach((a, i) => {
    const b = theirs.structLogs[i];
    const where = `step ${i}: pc ${a.pc} ${a.op}`;
    steps++;
    for (const key of ["pc", "gas", "depth"]) assert.equal(a[key], b[key], `${key}, ${where}`);
    // What an instruction read of the block is each chain's own, and dropped at once.
    const foreign = i > 0 && BLOCK.has(ours.structLogs[i - 1].op) ? 1 : 0;
    const kept = (s) => s.stack.slice(0, s.stack.length - foreign);
    assert.deepEqual(kept(a), kept(b), `stack, ${where}`);
    assert.deepEqual(a.memory ?? [], (b.memory ?? []).map(word), `memory, ${where}`);
    if (a.error || b.error) return;
    assert.equal(a.op, b.op, where);
    if (!a.op.startsWith("CREATE")) assert.equal(a.gasCost, b.gasCost, `cost, ${where}`);
    // Ours has what the contract met in the whole transaction, theirs what the frame did.
    for (const [k, v] of Object.entries(b.storage ?? {})) assert.equal(a.storage[word(k)], word(v), `storage, ${where}`);
  });
}

/** What changed, without accounts that earn fees. Balances are compared by what was gained, and not for the sender: fees differ (Anvil
 * takes a tip as well). Accounts that were empty are left out of `pre`, where Anvil lists those that are created. */
function changes({ pre, post }, sender) {
  const out = { pre: {}, post: {}, gained: {} };
  for (const address of new Set([...Object.keys(pre), ...Object.keys(post)])) {
    if ([SEQUENCER, FEE_ACCOUNT].includes(address)) continue;
    const { balance: before = "0x0", codehash: h1, ...was } = pre[address] ?? {};
    const { balance: after = before, codehash: h2, ...is } = post[address] ?? {};
    if (is.code === "0x") delete is.code; // a delegation that was cleared; Anvil does not show it
    if (Object.keys(was).length) out.pre[address] = was;
    if (Object.keys(is).length) out.post[address] = is;
    if (address !== sender && after !== before) out.gained[address] = (BigInt(after) - BigInt(before)).toString();
  }
  return out;
}

async function randomTraces() {
  const ours = await Node.start();
  const head = await ours.rpc("eth_getBlockByNumber", ["latest", false]);
  const theirs = await Anvil.start(ours.chainId, Number(head.gasLimit), ["--steps-tracing"]);
  await theirs.rpc("anvil_setCoinbase", [SEQUENCER]);
  const both = (method, params) => Promise.all([ours.rpc(method, params), theirs.rpc(method, params)]);
  const chain = {
    chainId: ours.chainId,
    price: BigInt(PRICE),
    nonceOf: async (a) => Number(await ours.rpc("eth_getTransactionCount", [a, "latest"])),
    balanceOf: async (a) => BigInt(await ours.rpc("eth_getBalance", [a, "latest"])),
  };
  const traffic = new Traffic(
    SEED,
    chain,
    devAccounts(ours).map((a) => a.key),
  );
  let at = 0;
  try {
    for (; at < CASES; at++) {
      const { raw } = await traffic.next();
      await theirs.rpc("anvil_setNextBlockBaseFeePerGas", [PRICE]);
      const [receipt] = await both("eth_sendRawTransactionSync", [raw]);
      traffic.learn(receipt);
      const hash = receipt.transactionHash;
      const trace = async (options) => (await both("debug_traceTransaction", [hash, options])).map(lower);
      const calls = await trace({ tracer: "callTracer", tracerConfig: { withLog: true } });
      compareCalls(...calls.map((c) => dropDeadLogs(c)));
      const essence = (l, index) => ({ address: l.address, topics: l.topics, data: l.data, index });
      assert.deepEqual(
        emitted(calls[0]).map((l) => essence(l, l.index)),
        receipt.logs.map((l) => essence(l, l.logIndex)),
      );
      const upper = await both("debug_traceTransaction", [hash, { enableMemory: true }]);
      compareSteps(...upper);
      const [a, b] = await trace({ tracer: "prestateTracer", tracerConfig: { diffMode: true } });
      const sender = receipt.from.toLowerCase();
      assert.deepEqual(changes(a, sender), changes(b, sender));
      counts.passed++;
    }
    console.log(`ok   traces of ${CASES} transactions: ${frames} calls, ${steps} instructions (seed ${SEED})`);
  } catch (e) {
    counts.failed++;
    console.log(`FAIL traces, transaction ${at} (SEED=${SEED} CASES=${CASES})\n     ${e.stack}`);
  }
  await ours.stop();
  await theirs.stop();
}

export async function run() {
  await randomTraces();
  const node = await Node.start();
  const [alice, bob] = devAccounts(node);
  const client = createPublicClient({ transport: http(node.url) });
  const target = "0x00000000000000000000000000000000000000aa";
  const zero = "0x" + "00".repeat(32);

  await check("traces: viem's overrides, access lists and proofs", async () => {
    const stateOverride = [{ address: target, code: "0x5f545f5260205ff3", stateDiff: [{ slot: zero, value: "0x" + "07".padStart(64, "0") }] }];
    const { data } = await client.call({ to: target, stateOverride });
    assert.equal(BigInt(data), 7n);
    const late = await client.call({ to: target, stateOverride: [{ address: target, code: "0x425f5260205ff3" }], blockOverrides: { time: 99n } });
    assert.equal(BigInt(late.data), 99n);
    const gas = await client.estimateGas({ account: alice.address, to: target, stateOverride });
    assert.ok(gas > 23100n && gas < 24000n, String(gas));
    const { accessList, gasUsed } = await client.createAccessList({ account: alice.address, to: bob.address });
    assert.deepEqual([accessList, gasUsed], [[], 21000n]);
    const proof = await client.getProof({ address: alice.address, storageKeys: [zero] });
    assert.equal(keccak256(proof.accountProof[0]), (await client.getBlock()).stateRoot);
    assert.equal(proof.storageProof[0].value, 0n);
  });

  await check("traces: viem fills in transactions", async () => {
    const { transaction, raw } = await client.fillTransaction({ account: alice.address, to: bob.address, value: 5n });
    assert.equal(transaction.gas, 21000n);
    assert.equal(transaction.value, 5n);
    assert.equal(transaction.nonce, await client.getTransactionCount({ address: alice.address }));
    assert.ok(transaction.maxFeePerGas > 0n);
    assert.equal(parseTransaction(raw).to, bob.address);
  });

  await check("traces: ethers signs and sends with the node's accounts", async () => {
    const provider = new JsonRpcProvider(node.url, undefined, { staticNetwork: true });
    const signer = await provider.getSigner(alice.address);
    assert.equal(verifyMessage("hello \u20ac", await signer.signMessage("hello \u20ac")).toLowerCase(), alice.address);
    const domain = { name: "Shop", version: "1", chainId: node.chainId, verifyingContract: target };
    const types = { Item: [{ name: "id", type: "uint256" }, { name: "tags", type: "string[]" }], Order: [{ name: "items", type: "Item[]" }, { name: "paid", type: "bool" }] };
    const order = { items: [{ id: 2n ** 200n, tags: ["a", ""] }, { id: 0n, tags: [] }], paid: true };
    const signature = await signer.signTypedData(domain, types, order);
    assert.equal(verifyTypedData(domain, types, order, signature).toLowerCase(), alice.address);
    const sent = await signer.sendTransaction({ to: bob.address, value: 1n });
    assert.equal((await sent.wait()).status, 1);
    provider.destroy();
  });

  await check("traces: blocks, calls and their errors", async () => {
    const block = await node.rpc("eth_getBlockByNumber", ["latest", false]);
    const byHash = await node.rpc("debug_traceBlockByHash", [block.hash, { tracer: "callTracer" }]);
    assert.deepEqual(byHash, await node.rpc("debug_traceBlockByNumber", ["latest", { tracer: "callTracer" }]));
    assert.equal(byHash[0].txHash, block.transactions[0]);
    assert.equal(byHash[0].result.gasUsed, "0x5208");
    const error = async (method, params) => (await node.call(method, params)).error.message;
    assert.equal(await error("debug_traceTransaction", [zero]), "transaction not found");
    assert.equal(await error("debug_traceBlockByNumber", ["0x0"]), "genesis is not traceable");
    assert.match(await error("debug_traceCall", [{ to: target }, "latest", { tracer: "{}" }]), /^tracer not found/);
    // A loop with all the gas there is: the trace does not fit the reply and says so.
    const loop = { [target]: { code: "0x5b5f56" } };
    const big = await node.call("debug_traceCall", [{ to: target }, "latest", { stateOverrides: loop }]);
    assert.deepEqual([big.error.code, big.error.message], [-32005, "response too large"]);
  });
  assert.equal((await node.stop()).code, 0);
}
