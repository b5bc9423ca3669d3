// What was acknowledged stays: after a stop, and after kill -9 under load.
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { parseEther } from "viem";
import { Api, adminKey, request } from "./lib/api.mjs";
import { contract } from "./lib/compile.mjs";
import { BINARY, Node, devAccounts, tempDir } from "./lib/node.mjs";
import { Load } from "./lib/load.mjs";
import { assert, check } from "./lib/suite.mjs";
import { clients } from "./lib/viem.mjs";
import { WAIT_MS, until } from "./lib/wait.mjs";

const ARBSYS = "0x0000000000000000000000000000000000000064";
const ROUNDS = Number(process.env.ROUNDS ?? 6);

function verify(dir) {
  const r = spawnSync(BINARY, ["db", "verify", "--datadir", dir], { encoding: "utf8" });
  assert.equal(r.status, 0, `db verify: ${r.stdout}${r.stderr}`);
}

/** Sends transfers and token mints from one account until the node is gone. `acked` collects {hash, block, blockHash}. */
async function load(node, { client, wallets }, i, coin, acked) {
  const account = wallets[i].account;
  let nonce = await client.getTransactionCount({ address: account.address });
  for (;;) {
    try {
      const to = `0x${(i * 1000000 + nonce).toString(16).padStart(40, "c")}`;
      const hash = await wallets[i].sendTransaction({ to, value: 1n, nonce, gas: 30000n });
      const entry = { hash };
      acked.push(entry);
      nonce++;
      if (nonce % 4) continue;
      const receipt = await node.rpc("eth_getTransactionReceipt", [hash]);
      assert.ok(receipt, `no receipt of ${hash} right after its acknowledgement`);
      Object.assign(entry, { blockHash: receipt.blockHash, blockNumber: receipt.blockNumber });
    } catch (e) {
      if (e.code === "ERR_ASSERTION") throw e;
      return; // killed
    }
  }
}

async function checkAcked(node, acked) {
  for (let at = 0; at < acked.length; at += 500) {
    const part = acked.slice(at, at + 500);
    const replies = await node.post(
      part.map((a, id) => ({ jsonrpc: "2.0", id, method: "eth_getTransactionReceipt", params: [a.hash] })),
    );
    for (const [i, a] of part.entries()) {
      const receipt = replies[i].result;
      assert.ok(receipt, `${a.hash} was acknowledged and has no receipt: ${JSON.stringify(replies[i])}`);
      if (a.blockHash) assert.equal(receipt.blockHash, a.blockHash, "it moved to another block");
    }
  }
}

async function stopAndStart() {
  const dir = tempDir();
  let node = await Node.start(dir);
  let { client, wallets } = clients(node);
  const c = contract("Coin");
  const hash = await wallets[0].deployContract({ ...c, args: [wallets[0].account.address] });
  const { contractAddress } = await client.getTransactionReceipt({ hash });
  const mint = { address: contractAddress, abi: c.abi, functionName: "mint", args: [wallets[1].account.address, 77n] };
  const minted = await wallets[0].writeContract(mint);
  const gapped = await wallets[2].sendTransaction({ to: contractAddress, value: 0n, nonce: 1, gas: 50000n });
  const before = {
    receipt: await node.rpc("eth_getTransactionReceipt", [minted]),
    head: await node.rpc("eth_getBlockByNumber", ["latest", true]),
    logs: await node.rpc("eth_getLogs", [{ fromBlock: "0x0", address: contractAddress }]),
  };
  assert.equal(before.logs.length, 2);

  const end = await node.stop();
  assert.deepEqual([end.code, end.signal], [0, null]);
  assert.ok(end.isPrompt, `the stop took ${end.ms} ms`);
  verify(dir);
  node = await Node.start(dir);
  ({ client, wallets } = clients(node));
  assert.equal(node.block, Number(before.head.number));
  assert.deepEqual(await node.rpc("eth_getTransactionReceipt", [minted]), before.receipt);
  assert.deepEqual(await node.rpc("eth_getBlockByNumber", ["latest", true]), before.head);
  assert.deepEqual(await node.rpc("eth_getLogs", [{ fromBlock: "0x0", address: contractAddress }]), before.logs);
  const balance = { address: contractAddress, abi: c.abi, functionName: "balanceOf", args: [wallets[1].account.address] };
  assert.equal(await client.readContract(balance), 77n);

  // The transaction that waits for its nonce was acknowledged as well.
  assert.equal((await node.rpc("eth_getTransactionByHash", [gapped]))?.blockNumber, null);
  await wallets[2].sendTransaction({ to: wallets[0].account.address, value: 1n, nonce: 0, gas: 21000n });
  const receipt = await client.waitForTransactionReceipt({ hash: gapped, timeout: WAIT_MS });
  assert.ok(receipt.blockNumber > BigInt(before.head.number));
  await node.stop();
}

async function killUnderLoad() {
  const dir = tempDir();
  const acked = [];
  let node = await Node.start(dir);
  const first = clients(node);
  const c = contract("Coin");
  await first.wallets[0].deployContract({ ...c, args: [first.wallets[0].account.address] });
  for (let round = 0; round < ROUNDS; round++) {
    const before = acked.length;
    const users = clients(node);
    const running = users.wallets.map((_, i) => load(node, users, i, null, acked));
    await new Promise((resolve) => setTimeout(resolve, 300 + 170 * round)); // how long the load runs, not a wait for anything
    for (let i = 0; i < 200 && acked.length <= before + 10; i++) // on a busy machine until there is something to lose
      await new Promise((resolve) => setTimeout(resolve, 100));
    await node.stop("SIGKILL");
    await Promise.all(running);
    assert.ok(acked.length > before + 10, `round ${round}: only ${acked.length - before} transactions were acknowledged`);
    if (round % 2) verify(dir); // not always: recovery must not depend on it
    node = await Node.start(dir);
    await checkAcked(node, acked);
  }
  const end = await node.stop();
  assert.equal(end.code, 0);
  verify(dir);
  console.log(`     ${ROUNDS} rounds, ${acked.length} transactions acknowledged, all there`);
}

async function damagedLog() {
  const { readFileSync, readdirSync, writeFileSync } = await import("node:fs");
  const dir = tempDir();
  let node = await Node.start(dir);
  const { wallets } = clients(node);
  for (let i = 0; i < 20; i++)
    await wallets[0].sendTransaction({ to: wallets[1].account.address, value: parseEther("1"), nonce: i, gas: 21000n });
  await node.stop("SIGKILL");
  const segment = readdirSync(`${dir}/log`).find((f) => f.startsWith("blocks-"));
  const bytes = readFileSync(`${dir}/log/${segment}`);
  const at = bytes.indexOf(Buffer.from(wallets[1].account.address.slice(2), "hex"), 2000); // inside some transfer
  assert.ok(at > 0);
  bytes[at] ^= 1;
  writeFileSync(`${dir}/log/${segment}`, bytes);
  await assert.rejects(Node.start(dir), (e) => {
    assert.match(e.message, /exited with \{"code":1/);
    assert.match(e.message, /blocks-\d+\.seg|segment/);
    return true;
  });
}

/** State older than the window goes while the node runs; what is inside stays, and headers and receipts do. */
async function historyWindow() {
  const WINDOW_S = 2;
  const dir = tempDir();
  const flags = ["--history-seconds", String(WINDOW_S), "--checkpoint-rows", "200"];
  let node = await Node.start(dir, flags);
  const { wallets } = clients(node);
  const [from, to] = [wallets[0].account.address, wallets[1].account.address];
  const first = await wallets[0].sendTransaction({ to, value: 1n, nonce: 0, gas: 21000n });
  const { blockNumber } = await node.rpc("eth_getTransactionReceipt", [first]);
  const balance = await node.rpc("eth_getBalance", [to, blockNumber]);
  assert.equal(BigInt(balance), parseEther("10000") + 1n);
  let nonce = 1;
  const gone = await until("the state to go", async () => {
    for (let i = 0; i < 50; i++) await wallets[0].sendTransaction({ to, value: 1n, nonce: nonce++, gas: 21000n });
    const reply = await node.call("eth_getBalance", [to, blockNumber]);
    if (!reply.error) assert.equal(reply.result, balance);
    return reply.error;
  });
  assert.deepEqual(gone, { code: 4444, message: "pruned history unavailable" });
  const old = [
    ["eth_getProof", [to, [], blockNumber]],
    ["eth_call", [{ to }, blockNumber]],
    ["eth_getTransactionCount", [from, blockNumber]],
  ];
  const check = async () => {
    for (const [method, params] of old) assert.equal((await node.call(method, params)).error?.code, 4444, method);
    assert.equal((await node.rpc("eth_getBlockByNumber", [blockNumber, true])).transactions[0].hash, first);
    assert.equal((await node.rpc("eth_getTransactionReceipt", [first])).status, "0x1");
  };
  await check();
  // Any block that is inside the window when its answer is there.
  const head = Number(await node.rpc("eth_blockNumber"));
  for (let n = head, inside = true; n > 0 && inside; n -= 7) {
    const block = await node.rpc("eth_getBlockByNumber", [`0x${n.toString(16)}`, false]);
    const { error } = await node.call("eth_getProof", [to, [], block.number]);
    inside = Number(block.timestamp) >= Math.floor(Date.now() / 1000) - WINDOW_S;
    assert.ok(!error || !inside, `block ${n} of ${head}: ${JSON.stringify(error)}`);
  }
  // Told when the step that dropped the block has ended: after the first refusal, not with it.
  const firstBlock = async () => Number(/^callipter_node_prune_first_block (\d+)$/m.exec(await (await fetch(`${node.url}/metrics`)).text())?.[1]);
  await until("node_prune_first_block", async () => (await firstBlock()) > Number(blockNumber));
  await node.stop("SIGKILL");
  node = await Node.start(dir, flags);
  await check();
  await node.stop();
  verify(dir);
}

/** Sum of the sizes of the log's segments, and the lowest number of each kind. */
function segments(dir) {
  const sum = { bytes: 0, blocks: Infinity, receipts: Infinity };
  for (const name of readdirSync(`${dir}/log`)) {
    const m = /^(blocks|receipts)-(\d+)\.seg$/.exec(name);
    if (!m) continue;
    try {
      sum.bytes += statSync(`${dir}/log/${name}`).size;
    } catch {
      continue; // gone since it was listed
    }
    sum[m[1]] = Math.min(sum[m[1]], Number(m[2]));
  }
  return sum;
}

/** Under load the folder stays small; what outlives its segments is answered as before, the rest says that it is gone. */
async function segmentsGo() {
  const WINDOW_S = 2, LOAD_MS = 8000, LOAD_MS_MAX = 90000;
  const dir = tempDir();
  const flags = ["--history-seconds", String(WINDOW_S), "--checkpoint-rows", "500", "--log-segment-kib", "64"];
  let node = await Node.start(dir, flags);
  const { wallets } = clients(node);
  // withdrawEth(address) of ArbSys, and a plain transfer in the same breath.
  const data = `0x25e16063${wallets[5].account.address.slice(2).padStart(64, "0")}`;
  const withdrawal = await wallets[5].sendTransaction({ to: ARBSYS, data, value: 7n, nonce: 0, gas: 1000000n });
  const plain = await wallets[5].sendTransaction({ to: wallets[6].account.address, value: 7n, nonce: 1, gas: 21000n });
  const whole = async (hash) => [
    await node.rpc("eth_getTransactionReceipt", [hash]),
    await node.rpc("eth_getTransactionByHash", [hash]),
  ];
  const before = { tx: await whole(withdrawal) };
  const { blockNumber } = before.tx[0];
  const logs = [{ address: ARBSYS, fromBlock: "0x0", toBlock: blockNumber }];
  before.logs = await node.rpc("eth_getLogs", logs);
  assert.equal(before.tx[0].status, "0x1");
  assert.ok(before.logs.length > 0 && before.logs[0].transactionHash === withdrawal);
  assert.deepEqual(before.logs, before.tx[0].logs);
  const work = new Load(node, 20, 5);
  await work.fund();
  const running = work.start(node);
  const sizes = [];
  let most, written;
  for (const start = Date.now(); ; ) {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 250)), running]);
    const now = segments(dir);
    const loaded = Date.now() - start;
    if (loaded < WINDOW_S * 1000) assert.ok(now.blocks === 0 && now.receipts === 0, "segments went before their time");
    sizes.push(now.bytes);
    // What was dropped alone is more than a third of what the folder ever held in the second half.
    most = Math.max(...sizes.slice(sizes.length / 2));
    written = (now.blocks + now.receipts) * 65536 + now.bytes;
    if (loaded >= LOAD_MS && now.blocks > 3 && now.receipts > 3 && most < 0.75 * written) break;
    assert.ok(loaded < LOAD_MS_MAX, `segments stay: ${JSON.stringify(now)}, ${most} of ${written} bytes`);
  }
  await work.stop();
  console.log(`     ${work.acked.length} transactions, ${written >> 10} KiB of log written, at most ${most >> 10} KiB at a time`);

  const checkDropped = async () => {
    assert.deepEqual(await whole(withdrawal), before.tx);
    assert.deepEqual(await node.rpc("eth_getLogs", logs), before.logs);
    assert.deepEqual(await whole(plain), [null, null]);
    const gone = [
      ["eth_getBlockByNumber", [blockNumber, false]],
      ["eth_getBlockReceipts", [blockNumber]],
      ["eth_getLogs", [{ fromBlock: "0x1", toBlock: "0x9" }]],
      ["eth_getLogs", [{ fromBlock: "0x1", toBlock: "latest", address: wallets[0].account.address }]],
      ["debug_traceTransaction", [withdrawal]],
    ];
    for (const [method, params] of gone)
      assert.deepEqual((await node.call(method, params)).error, { code: 4444, message: "pruned history unavailable" }, method);
    assert.equal((await node.rpc("eth_getHeaderByNumber", [blockNumber])).hash, before.tx[0].blockHash);
    assert.equal(await node.rpc("eth_getBlockTransactionCountByNumber", [blockNumber]).then((n) => Number(n) > 0), true);
  };
  await checkDropped();
  for (const signal of ["SIGKILL", "SIGTERM"]) {
    await node.stop(signal);
    verify(dir);
    node = await Node.start(dir, flags);
    await checkDropped();
  }
  const nonce = Number(await node.rpc("eth_getTransactionCount", [wallets[5].account.address, "pending"]));
  assert.equal(nonce, 2);
  const later = await clients(node).wallets[5].sendTransaction({ to: ARBSYS, data, value: 8n, nonce, gas: 1000000n });
  const { logs: fresh } = await node.rpc("eth_getTransactionReceipt", [later]);
  assert.deepEqual(await node.rpc("eth_getLogs", [{ ...logs[0], toBlock: "latest" }]), [...before.logs, ...fresh]);
  const copy = `${tempDir()}/backup`;
  const r = spawnSync(BINARY, ["db", "backup", "--datadir", dir, "--to", copy], { encoding: "utf8" });
  assert.equal(r.status, 0, `db backup: ${r.stdout}${r.stderr}`);
  await node.stop();
  verify(dir);
  node = await Node.start(copy, flags);
  await checkDropped();
  await node.stop();
  const replay = spawnSync(BINARY, ["run", "--dev", "--datadir", tempDir(), "--replay", dir], { encoding: "utf8" });
  assert.notEqual(replay.status, 0);
  assert.match(replay.stdout + replay.stderr, /record 1 was pruned/);
}

/** What a remembered request did is not done again when nobody can tell any more what became of it. */
async function requestsOutliveSegments() {
  const dir = tempDir();
  const flags = ["--history-seconds", "1", "--checkpoint-rows", "500", "--log-segment-kib", "16"];
  const node = await Node.start(dir, flags);
  const work = new Load(node, 5, 6);
  await work.fund(); // from the account that is the operator's, too
  const api = await Api.of(node);
  const slug = "old";
  const made = await api.do("universe_create", { key: adminKey(node), body: { slug, gas: "1000000000000000000" } });
  const key = made.secretKey.secret;
  const { contract } = await api.do("universe_deploy", { path: { slug }, key, body: { template: "items", name: "Items", symbol: "ITM" } });
  await api.do("universe_defineClasses", { path: { slug, address: contract.address }, key, body: { classes: [{ id: 1, name: "Gem" }] } });
  const mint = () =>
    request(node, "POST", `/v1/u/${slug}/contracts/${contract.address}/mints`, {
      key,
      body: { items: [{ to: contract.address.replace(/.{4}$/, "beef"), id: 1 }] },
      headers: { "idempotency-key": "once" },
    });
  const head = () => node.rpc("eth_blockNumber", []);
  const first = await mint();
  assert.equal(first.status, 201, first.text);
  const block = await head();
  const again = await mint();
  assert.ok(again.status === 201 && again.replayed, again.text);
  const running = work.start(node);
  await Promise.race([running, until("the block to go", async () => (await node.call("eth_getBlockByNumber", [block, false])).error?.code === 4444)]);
  await work.stop();
  const before = await head();
  const late = await mint();
  assert.equal(late.status, 404, late.text);
  assert.match(late.text, /not kept any more/);
  assert.equal(await head(), before, "something was done");
  await node.stop();
}

async function otherGenesis() {
  const { writeFileSync } = await import("node:fs");
  const dir = tempDir();
  const node = await Node.start(dir);
  await node.stop();
  const file = `${dir}/other.json`;
  writeFileSync(file, JSON.stringify({ config: { chainId: 4242 }, callipter: { owners: [devAccounts(node)[0].address] }, alloc: {} }));
  await assert.rejects(Node.start(dir, ["--chain", file]), /genesis file makes/);
}

export async function run() {
  await check("restart: after a stop everything is there", stopAndStart);
  await check("restart: kill -9 under load loses nothing that was acknowledged", killUnderLoad);
  await check("restart: a damaged record in the middle of the log is refused", damagedLog);
  await check("restart: state older than the window goes while the node runs", historyWindow);
  await check("restart: old segments go under load, what outlives them is answered", segmentsGo);
  await check("restart: a request whose block has gone is not done again", requestsOutliveSegments);
  await check("restart: a folder of another chain is refused", otherGenesis);
  await check("restart: two nodes do not share a folder", async () => {
    const dir = tempDir();
    const node = await Node.start(dir);
    await assert.rejects(Node.start(dir), /exited with \{"code":1/);
    await node.stop();
  });
}
