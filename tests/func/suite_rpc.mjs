// The wire itself: JSON-RPC's and HTTP's corners, codes and texts that clients match on.
import { readFileSync } from "node:fs";
import net from "node:net";
import { Transaction, Wallet } from "ethers";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { WAIT_MS } from "./lib/wait.mjs";

/** Writes bytes to a fresh connection, and no more unless it `mayGoOn`; gives all that comes back until the node has ended it, too. */
function raw(node, bytes, { mayGoOn = false } = {}) {
  const [host, port] = [node.address.slice(0, node.address.lastIndexOf(":")), Number(node.address.split(":").at(-1))];
  return new Promise((resolve, reject) => {
    let out = "";
    const socket = net.connect(port, host, () => (mayGoOn ? socket.write(bytes) : socket.end(bytes)));
    socket.setTimeout(WAIT_MS, () => {
      reject(new Error(`not ended after ${WAIT_MS} ms, but ${JSON.stringify(out)}`));
      socket.destroy();
    });
    socket.on("data", (d) => (out += d));
    socket.on("close", () => resolve(out));
    socket.on("error", (e) => (out ? resolve(out) : reject(e)));
  });
}

const body = (o) => JSON.stringify(o);
const request = (content, headers = "") =>
  `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(content)}\r\n${headers}\r\n${content}`;

export async function run() {
  const node = await Node.start();
  const [alice, bob] = devAccounts(node);
  const error = async (method, params) => (await node.call(method, params)).error;
  const chainId = body({ jsonrpc: "2.0", id: 7, method: "eth_chainId" });

  await check("rpc: identifiers come back as they were", async () => {
    for (const id of [1, "a", null, -5, 1.5])
      assert.deepEqual((await node.post({ jsonrpc: "2.0", id, method: "eth_chainId" })).id, id);
    assert.equal(await node.post({ jsonrpc: "2.0", method: "eth_chainId" }), undefined); // a notification
  });

  await check("rpc: malformed requests", async () => {
    const code = async (text) => (await node.post(text)).error.code;
    assert.equal(await code("{"), -32700);
    assert.equal(await code(""), -32700);
    assert.equal(await code("1"), -32600);
    assert.equal(await code("[]"), -32600);
    assert.equal(await code('{"id":1}'), -32600);
    assert.equal(await code('{"id":{},"method":"eth_chainId"}'), -32600);
    assert.equal(await code('{"id":1,"method":"eth_chainId","method":"net_version"}'), -32600);
    assert.equal(await code("[".repeat(100000)), -32600);
    assert.equal(await code('{"id":1,"method":"eth_chainId","params":{}}'), -32602);
    const unknown = await error("foo_bar");
    assert.equal(unknown.code, -32601);
    assert.equal(unknown.message, "the method foo_bar does not exist/is not available");
    const missing = await error("eth_getBalance", []);
    assert.deepEqual([missing.code, missing.message], [-32602, "missing value for required argument 0"]);
    assert.equal((await error("eth_chainId", [1])).message, "too many arguments, want at most 0");
    assert.equal(
      (await error("eth_getBalance", ["0x12", "latest"])).message,
      "invalid argument 0: hex string has length 2, want 40 for common.Address",
    );
    assert.equal((await error("eth_getBalance", ["12", "latest"])).message, "invalid argument 0: hex string without 0x prefix");
  });

  await check("rpc: batches keep their order and their limits", async () => {
    const batch = Array.from({ length: 1000 }, (_, i) => ({ id: i, method: i % 2 ? "eth_chainId" : "eth_gasPrice" }));
    const replies = await node.post(batch);
    assert.deepEqual(
      replies.map((r) => r.id),
      batch.map((r) => r.id),
    );
    const large = await node.post([...batch, { id: 1000, method: "eth_chainId" }]);
    assert.equal(large.length, 1);
    assert.deepEqual([large[0].id, large[0].error.code, large[0].error.message], [0, -32600, "batch too large"]);
    assert.equal(await node.post([{ method: "eth_chainId" }]), undefined);
    const mixed = await node.post([1, { id: 2, method: "eth_chainId" }]);
    assert.deepEqual([mixed[0].error.code, mixed[1].result], [-32600, "0xa179"]);
  });

  await check("rpc: answers of a batch go as far as a reply's limit, and take no more memory", async () => {
    const to = `0x${"c0".repeat(20)}`;
    const code = "0x624c4b405ff3"; // returns 5,000,000 zeros
    const call = { method: "eth_call", params: [{ to }, "latest", { [to]: { code } }] };
    const resident = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${node.child.pid}/status`, "latin1"))[1]) << 10;
    let most = 0;
    const before = resident();
    const watch = setInterval(() => (most = Math.max(most, resident())), 20);
    const replies = await node.post(Array.from({ length: 60 }, (_, id) => ({ id, ...call })));
    clearInterval(watch);
    assert.ok(Array.isArray(replies), JSON.stringify(replies).slice(0, 200));
    assert.equal(replies.length, 60);
    assert.deepEqual([replies[0].result?.length, replies[1].result?.length], [10000002, 10000002]);
    for (const [id, r] of replies.entries())
      if (id >= 2) assert.deepEqual([r.id, r.error?.code, r.error?.message], [id, -32005, "response too large"]);
    assert.ok(most - before < 250 << 20, `grew by ${(most - before) >> 20} MiB`);
  });
  await check("rpc: a batch may send and read what it sent", async () => {
    const send = (value) => ({
      id: 1,
      method: "eth_sendTransaction",
      params: [{ from: alice.address, to: bob.address, value }],
    });
    const before = BigInt(await node.rpc("eth_getTransactionCount", [alice.address]));
    const replies = await node.post([
      send("0x1"),
      send("0x2"),
      { id: 3, method: "eth_getTransactionCount", params: [alice.address] },
    ]);
    assert.equal(BigInt(replies[2].result), before + 2n);
  });

  await check("rpc: concurrent sends of the node's own accounts", async () => {
    const sends = Array.from({ length: 50 }, () =>
      node.rpc("eth_sendTransaction", [{ from: bob.address, to: alice.address, value: "0x1", gas: "0x5208" }]),
    );
    const hashes = await Promise.all(sends);
    assert.equal(new Set(hashes).size, 50);
    const receipts = await Promise.all(hashes.map((h) => node.rpc("eth_getTransactionReceipt", [h])));
    assert.ok(receipts.every((r) => r?.status === "0x1"));
  });

  await check("rpc: unknown things are null, out-of-range ones are errors", async () => {
    const zero = `0x${"00".repeat(32)}`;
    for (const method of ["eth_getTransactionByHash", "eth_getTransactionReceipt", "eth_getBlockByHash"])
      assert.equal(await node.rpc(method, [zero, false].slice(0, method === "eth_getBlockByHash" ? 2 : 1)), null);
    assert.equal(await node.rpc("eth_getBlockByNumber", ["0xffffff", false]), null);
    assert.equal(await node.rpc("eth_getBlockReceipts", ["0xffffff"]), null);
    assert.deepEqual(await node.rpc("eth_getBlockReceipts", ["0x0"]), []);
    assert.equal((await error("eth_getBalance", [alice.address, "0xffffff"])).message, "header not found");
    assert.equal((await error("eth_call", [{}, "0xffffff"])).message, "header not found");
    const logs = async (f) => {
      const e = await error("eth_getLogs", [f]);
      return [e.code, e.message];
    };
    assert.deepEqual(await logs({ fromBlock: "0x2", toBlock: "0x1" }), [-32602, "invalid block range params"]);
    assert.deepEqual(await logs({ toBlock: "0xffffff" }), [-32602, "block range extends beyond current head block"]);
    assert.deepEqual(await logs({ blockHash: zero }), [-32000, "unknown block"]);
    assert.deepEqual(await logs({ blockHash: zero, fromBlock: "0x1" }), [
      -32602,
      "invalid argument 0: cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other",
    ]);
    assert.deepEqual(await logs({ topics: [null, null, null, null, null] }), [-32602, "exceed max topics"]);
    const history = await error("eth_feeHistory", ["0x1", "0xffffff", []]);
    assert.match(history.message, /^request beyond head block: requested 16777215, head \d+$/);
  });

  await check("rpc: tags", async () => {
    const number = async (tag) => BigInt((await node.rpc("eth_getBlockByNumber", [tag, false])).number);
    const head = BigInt(await node.rpc("eth_blockNumber"));
    assert.equal(await number("latest"), head);
    assert.equal(await number("pending"), head);
    for (const tag of ["earliest", "safe", "finalized"]) assert.equal(await number(tag), 0n);
    const { hash } = await node.rpc("eth_getBlockByNumber", ["latest", false]);
    await node.rpc("eth_getBalance", [alice.address, { blockHash: hash, blockNumber: null }]);
    const neither = await error("eth_getBalance", [alice.address, { blockNumber: null }]);
    assert.match(neither.message, /neither block nor hash specified$/);
  });

  await check("rpc: a call on pending runs in the next block, now", async () => {
    const timestamp = async (tag) => Number(await node.rpc("eth_call", [{ data: "0x425f5260205ff3" }, tag]));
    const head = await timestamp("latest");
    assert.equal(head, Number((await node.rpc("eth_getBlockByNumber", ["latest", false])).timestamp));
    while (Math.floor(Date.now() / 1000) <= head) await new Promise((done) => setTimeout(done, 100));
    const now = await timestamp("pending");
    assert.ok(now > head && now <= Math.ceil(Date.now() / 1000), `${head} ${now}`);
    assert.equal(await timestamp("latest"), head);
  });

  await check("rpc: envelopes that are refused", async () => {
    const refused = async (raw) => (await error("eth_sendRawTransaction", [raw])).message;
    assert.match(await refused("0xc0"), /^rlp: /);
    assert.match(await refused("0x"), /too short/);
    assert.match(await refused(`0x03${"c0"}`), /^transaction type not supported/);
    assert.match(await refused(`0x02${"00".repeat(85000)}`), /^oversized data: transaction size 85001, limit 85000$/);
    const tx = Transaction.from({ type: 0, nonce: 0, gasPrice: 10n ** 9n, gasLimit: 21000n, to: bob.address, value: 1n });
    tx.signature = new Wallet(alice.key).signingKey.sign(tx.unsignedHash); // without a chain id
    const unprotected = tx.serialized;
    assert.equal(await refused(unprotected), "only replay-protected (EIP-155) transactions allowed over RPC");
  });

  await check("http: pipelined requests are answered in order", async () => {
    const many = Array.from({ length: 100 }, (_, i) =>
      request(body({ id: i, method: i % 3 ? "eth_chainId" : "eth_gasPrice" })),
    ).join("");
    const replies = (await raw(node, many)).match(/"id":\d+/g).map((s) => Number(s.slice(5)));
    assert.deepEqual(
      replies,
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  await check("http: chunked bodies, 100-continue, an end that was asked for", async () => {
    const chunked = `POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${chainId.slice(0, 5)}\r\n${(chainId.length - 5).toString(16)}\r\n${chainId.slice(5)}\r\n0\r\n\r\n`;
    assert.match(await raw(node, chunked), /"result":"0xa179"/);
    const expects = await raw(node, request("", "").replace("Content-Length: 0", `Content-Length: ${chainId.length}\r\nExpect: 100-continue`));
    assert.match(expects, /^HTTP\/1\.1 100 Continue\r\n\r\n/);
    assert.match(await raw(node, request(chainId, "Connection: close\r\n"), { mayGoOn: true }), /Connection: close\r\n/);
  });

  await check("http: what could be read in two ways is refused", async () => {
    const status = async (text) => Number(/^HTTP\/1\.1 (\d+)/.exec(await raw(node, text))?.[1]);
    const both = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert.equal(await status(both), 400);
    assert.equal(await status("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n"), 400);
    assert.equal(await status("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
    assert.equal(await status("POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n"), 400);
    assert.equal(await status("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), 400);
    assert.equal(await status("nonsense\r\n\r\n"), 400);
    assert.equal(await status("GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"), 505);
    assert.equal(await status(`GET /${"a".repeat(4000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`), 414);
    assert.equal(await status(`GET / HTTP/1.1\r\nHost: localhost\r\nA: ${"a".repeat(20000)}\r\n\r\n`), 431);
    assert.equal(await status("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n"), 413);
  });

  await check("http: paths, methods, types, hosts, origins", async () => {
    const get = (p, o) => fetch(node.url + p, o);
    assert.equal((await get("/")).status, 200);
    assert.equal(await (await get("/livez")).text(), "ok\n");
    assert.equal((await get("/nothing")).status, 404);
    assert.equal((await get("/", { method: "PUT", body: "" })).status, 405);
    assert.equal((await get("/", { method: "POST", body: chainId, headers: { "content-type": "text/plain" } })).status, 415);
    assert.match(await raw(node, request(chainId).replace("localhost", "evil.example")), /^HTTP\/1\.1 403/);
    const preflight = await get("/", { method: "OPTIONS", headers: { origin: "https://app.example" } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
    assert.match(preflight.headers.get("access-control-allow-headers"), /content-type.*, authorization.*, \*$/);
    assert.equal(preflight.headers.get("content-length"), null);
    assert.equal((await get("/nothing")).headers.get("access-control-allow-origin"), "*");
  });

  await check("rpc: flags that do not exist or do not fit", async () => {
    const { spawnSync } = await import("node:child_process");
    const { BINARY } = await import("./lib/node.mjs");
    const run1 = (...args) => spawnSync(BINARY, ["run", ...args], { encoding: "utf8" });
    for (const args of [["--nope"], ["--dev", "--cache"], ["--dev", "--cache", "x"], ["--dev", "--cache", "1"], [], ["--dev", "--http", "here"]]) {
      const r = run1(...args);
      assert.equal(r.status, 2, args.join(" "));
      assert.ok(r.stderr.length > 0);
    }
    assert.match(run1("--nope").stderr, /unknown flag '--nope'/);
    assert.equal(run1("--help").status, 0);
  });

  await node.stop();
}
