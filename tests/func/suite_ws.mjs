// WebSockets: the wire itself through a client that can misbehave, then unmodified viem and ethers.
import { createHash } from "node:crypto";
import { Contract, WebSocketProvider } from "ethers";
import { createPublicClient, createWalletClient, webSocket } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { contract } from "./lib/compile.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { chainOf } from "./lib/viem.mjs";
import { collect } from "./lib/wait.mjs";
import { RawSocket, handshake } from "./lib/rawsocket.mjs";

const SLOTS = 40;

export async function run() {
  const node = await Node.start();
  const [alice, bob] = devAccounts(node);
  const url = node.url.replace("http:", "ws:");
  const send = () => node.rpc("eth_sendTransaction", [{ from: alice.address, to: bob.address, value: "0x1" }]);

  await wire(node, send);
  await subscriptions(node, send, bob);
  await slowReader(node, send);
  await clients(node, url, alice, bob);
  await stop(node);
}

async function wire(node, send) {
  await check("ws: handshake", async () => {
    const key = "dGhlIHNhbXBsZSBub25jZQ==";
    const ok = await handshake(node.address, { key });
    assert.equal(ok.status, 101);
    const want = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    assert.equal(ok.headers["sec-websocket-accept"], want);
    ok.socket.destroy();
    const status = async (o) => {
      const h = await handshake(node.address, o);
      h.socket.destroy();
      return h.status;
    };
    assert.equal(await status({ version: "12" }), 426);
    assert.equal(await status({ key: "short" }), 400);
    assert.equal(await status({ path: "/nowhere" }), 404);
    assert.equal(await status({ host: "evil.example" }), 403);
    assert.equal(await status({ upgrade: "h2c" }), 200); // not a WebSocket: an ordinary GET
    assert.equal(await status({ origin: "https://anywhere.example" }), 101);
  });

  await check("ws: calls, batches, errors, notifications without an answer", async () => {
    const s = await RawSocket.open(node.address);
    assert.equal((await s.call("eth_chainId")).result, "0xa179");
    s.text("{");
    assert.equal((await s.next()).error.code, -32700);
    s.text('{"jsonrpc":"2.0","method":"eth_chainId"}');
    s.text(JSON.stringify([1, 2].map((id) => ({ id, method: "eth_blockNumber" }))));
    assert.deepEqual((await s.next()).map((r) => r.id), [1, 2]);
    assert.match((await s.call("nope")).error.message, /^the method nope does not exist/);
    s.close();
  });

  await check(`ws: ${SLOTS} messages in one write, replies in order`, async () => {
    const s = await RawSocket.open(node.address);
    const frames = [];
    for (let id = 0; id < SLOTS; id++) {
      const method = ["eth_chainId", "eth_getBlockByNumber", "eth_blockNumber"][id % 3];
      const params = method === "eth_getBlockByNumber" ? ["latest", false] : [];
      frames.push(RawSocket.frame(1, JSON.stringify({ id, method, params })));
    }
    s.socket.write(Buffer.concat(frames));
    for (let id = 0; id < SLOTS; id++) assert.equal((await s.next()).id, id);
    s.close();
  });

  await check("ws: a transaction's answer is its hash, and it is durable", async () => {
    const hash = await send();
    const s = await RawSocket.open(node.address);
    assert.equal((await s.call("eth_getTransactionReceipt", [hash])).result.status, "0x1");
    s.close();
  });

  await check("ws: fragments, pings in between, a message byte by byte", async () => {
    const s = await RawSocket.open(node.address);
    const text = JSON.stringify({ id: 9, method: "eth_chainId" });
    s.socket.write(RawSocket.frame(1, text.slice(0, 5), { fin: false }));
    s.socket.write(RawSocket.frame(9, "hello"));
    s.socket.write(RawSocket.frame(0, text.slice(5)));
    assert.equal((await s.frame()).payload.toString(), "hello"); // the pong
    assert.equal((await s.next()).id, 9);
    for (const byte of RawSocket.frame(1, text)) {
      s.socket.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    assert.equal((await s.next()).id, 9);
    s.close();
  });

  const closes = async (...frames) => {
    const s = await RawSocket.open(node.address);
    for (const f of frames) s.socket.write(f);
    const code = (await s.closed()).code;
    s.socket.destroy();
    return code;
  };
  await check("ws: what ends a connection, and its codes", async () => {
    assert.equal(await closes(RawSocket.frame(8, Buffer.from([3, 232]))), 1000); // 1000 echoed
    assert.equal(await closes(RawSocket.frame(2, "binary")), 1003);
    assert.equal(await closes(RawSocket.frame(1, Buffer.from([0xff, 0xfe]))), 1007);
    assert.equal(await closes(RawSocket.frame(3, "reserved opcode")), 1002);
    assert.equal(await closes(RawSocket.frame(1, "{}", { rsv: 0x40 })), 1002);
    assert.equal(await closes(RawSocket.frame(1, "{}", { mask: false })), 1002);
    const huge = RawSocket.frame(1, Buffer.alloc(5 * 1024 * 1024 + 1, 0x20));
    assert.equal(await closes(huge), 1009);
  });
}

async function subscriptions(node, send, bob) {
  await check("ws: new heads have geth's header and the L3's fields", async () => {
    const s = await RawSocket.open(node.address);
    const id = (await s.call("eth_subscribe", ["newHeads"])).result;
    assert.match(id, /^0x[1-9a-f][0-9a-f]{31}$/);
    await send();
    const n = await s.next();
    assert.equal(n.method, "eth_subscription");
    assert.equal(n.params.subscription, id);
    const block = await node.rpc("eth_getBlockByNumber", ["latest", false]);
    for (const k of ["transactions", "uncles", "size"]) delete block[k];
    assert.deepEqual(n.params.result, block);
    assert.ok(block.sendRoot && block.l1BlockNumber);
    assert.equal((await s.call("eth_unsubscribe", [id])).result, true);
    assert.deepEqual((await s.call("eth_unsubscribe", [id])).error, { code: -32000, message: "subscription not found" });
    await send();
    assert.equal((await s.call("eth_chainId")).result, "0xa179"); // and nothing before it
    s.close();
  });

  await check("ws: heads come at most 20 a second, ending with the newest; receipts all", async () => {
    const s = await RawSocket.open(node.address);
    const heads = (await s.call("eth_subscribe", ["newHeads"])).result;
    const receipts = (await s.call("eth_subscribe", ["transactionReceipts"])).result;
    const begun = performance.now();
    const sent = [];
    for (let i = 0; i < 100; i++) sent.push(await send());
    const newest = await node.rpc("eth_blockNumber");
    const [numbers, hashes] = [[], []];
    while (numbers.at(-1) !== newest || hashes.length < sent.length) {
      const { params } = await s.next();
      if (params.subscription === heads) numbers.push(params.result.number);
      else if (params.subscription === receipts) hashes.push(...params.result.map((r) => r.transactionHash));
    }
    const seconds = (performance.now() - begun) / 1000;
    assert.deepEqual(hashes, sent);
    assert.ok(numbers.length <= 20 * seconds + 2, `${numbers.length} heads in ${seconds} s`);
    s.close();
  });

  await check("ws: pending transactions, hashes and whole; named receipts", async () => {
    const s = await RawSocket.open(node.address);
    const hashes = (await s.call("eth_subscribe", ["newPendingTransactions"])).result;
    const whole = (await s.call("eth_subscribe", ["newPendingTransactions", true])).result;
    const first = await send();
    const got = [(await s.next()).params, (await s.next()).params];
    assert.equal(got.find((p) => p.subscription === hashes).result, first);
    const tx = got.find((p) => p.subscription === whole).result;
    assert.equal(tx.hash, first);
    assert.equal(tx.to, bob.address);
    const named = await s.call("eth_subscribe", ["transactionReceipts", { transactionHashes: [first] }]);
    assert.match(named.result, /^0x/);
    for (const id of [hashes, whole]) await s.call("eth_unsubscribe", [id]);
    await send();
    assert.equal((await s.call("eth_chainId")).result, "0xa179"); // it was not named
    s.close();
  });

  await check("ws: what subscribing refuses", async () => {
    const s = await RawSocket.open(node.address);
    const error = async (...params) => {
      const { error } = await s.call("eth_subscribe", params);
      return `${error.code} ${error.message}`;
    };
    assert.equal(await error("foo"), '-32601 no "foo" subscription in eth namespace');
    assert.equal(await error("logs", { topics: [[], [], [], [], []] }), "-32602 exceed max topics");
    assert.match((await s.call("eth_subscribe", ["syncing"])).result, /^0x/);
    const http = await node.call("eth_subscribe", ["newHeads"]);
    assert.deepEqual(http.error, { code: -32601, message: "notifications not supported" });
    let refused;
    for (let i = 0; i < 300 && !refused; i++) refused = (await s.call("eth_subscribe", ["syncing"])).error;
    assert.equal(refused.code, -32005);
    s.close();
  });

  await check("ws: the answer to eth_subscribe precedes its notifications", async () => {
    const s = await RawSocket.open(node.address);
    const tx = { from: (devAccounts(node))[0].address, to: bob.address, value: "0x1" };
    s.text(
      JSON.stringify([
        { id: 1, method: "eth_subscribe", params: ["newHeads"] },
        { id: 2, method: "eth_sendTransaction", params: [tx] },
      ]),
    );
    const [sub] = await s.next();
    const n = await s.next();
    assert.equal(n.params.subscription, sub.result);
    s.close();
  });
}

async function slowReader(node, send) {
  await check("ws: who does not read is closed with 1013 and told from where to resume", async () => {
    const s = await RawSocket.open(node.address);
    for (let i = 0; i < 250; i++) await s.call("eth_subscribe", ["newPendingTransactions", true]);
    s.socket.pause();
    const data = `0x${"ff".repeat(4000)}`;
    const from = devAccounts(node)[0].address;
    for (let i = 0; i < 8; i++)
      await Promise.all(
        [...Array(4)].map(() => node.rpc("eth_sendTransaction", [{ from, to: from, data, gas: "0x30000" }])),
      );
    await send();
    s.socket.resume();
    const { code, reason } = await s.closed();
    assert.equal(code, 1013);
    assert.match(reason, /^reads too slowly, resume from block 0x[0-9a-f]+$/);
    s.socket.destroy();
  });
}

async function clients(node, url, aliceKey, bobKey) {
  const { abi, bytecode } = contract("Coin");
  const chain = chainOf(node, { rpcUrls: { default: { http: [node.url], webSocket: [url] } } });
  const account = privateKeyToAccount(aliceKey.key);
  const transport = webSocket(url);
  const client = createPublicClient({ chain, transport });
  const wallet = createWalletClient({ chain, transport, account });
  const address = await check("ws: viem deploys, and watches events, blocks and pending transactions", async () => {
    const deployed = await client.waitForTransactionReceipt({
      hash: await wallet.deployContract({ abi, bytecode, args: [account.address] }),
    });
    const coin = deployed.contractAddress;
    const [events, blocks, pending] = [collect(), collect(), collect()];
    const stops = [
      client.watchContractEvent({ address: coin, abi, eventName: "Transfer", onLogs: events.all, onError: events.fail }),
      client.watchBlocks({ onBlock: blocks.add, onError: events.fail }),
      client.watchPendingTransactions({ onTransactions: pending.all, onError: events.fail }),
    ];
    await events.until(async () => {
      await wallet.writeContract({ address: coin, abi, functionName: "mint", args: [account.address, 7n] });
      return events.items.length >= 5 && blocks.items.length >= 2 && pending.items.length >= 5;
    });
    stops.forEach((f) => f());
    assert.ok(events.items.every((l) => l.args.value === 7n));
    assert.equal(new Set(events.items.map((l) => l.transactionHash)).size, events.items.length);
    assert.ok(blocks.items.every((b, i) => i === 0 || b.number > blocks.items[i - 1].number));
    return coin;
  });
  (await client.transport.getRpcClient()).close();

  await check("ws: ethers' WebSocketProvider: events, blocks, pending", async () => {
    const provider = new WebSocketProvider(url);
    const coin = new Contract(address, abi, provider);
    const [events, blocks, pending] = [collect(), collect(), collect()];
    await coin.on("Transfer", (from, to, value) => events.add(value));
    await provider.on("block", blocks.add);
    await provider.on("pending", pending.add);
    const signer = await provider.getSigner(aliceKey.address);
    let value = 0n;
    await events.until(async () => {
      await coin.connect(signer).mint(bobKey.address, ++value);
      return events.items.length >= 5 && blocks.items.length >= 2 && pending.items.length >= 5;
    });
    assert.ok(events.items.every((v, i) => i === 0 || v === events.items[i - 1] + 1n), "each once, in order");
    await provider.destroy();
  });
}

async function stop(node) {
  await check("ws: at a stop connections are closed with 1001", async () => {
    const s = await RawSocket.open(node.address);
    await s.call("eth_subscribe", ["newHeads"]);
    const end = node.stop();
    assert.equal((await s.closed()).code, 1001);
    s.socket.destroy();
    const { code, ms, isPrompt } = await end;
    assert.equal(code, 0);
    assert.ok(isPrompt, `${ms} ms`);
  });
}
