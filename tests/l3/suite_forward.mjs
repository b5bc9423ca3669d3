// A validator that hands transactions on: the answers are the sequencer's own, whatever happens on the way.
import { ethers } from "ethers";
import { assert, check } from "../func/lib/suite.mjs";
import { RawSocket } from "../func/lib/rawsocket.mjs";
import { inboxAbi } from "./lib/contracts.mjs";
import { Front } from "./lib/front.mjs";
import { Universe } from "./lib/universe.mjs";
import { CHAIN_ID, until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const RAW = "eth_sendRawTransaction", SYNC = "eth_sendRawTransactionSync", BUSY = -32005, FAILURES = 5, MS = 2000;
const BATCH = Number(process.env.BATCH ?? 250), KILLED = Number(process.env.KILLED ?? 60);

export async function run() {
  const w = await check("the contracts are on the parent", () => World.start());
  if (!w) return;
  let seq = await w.sequencer();
  const [first, second] = [await Front.start(() => seq.url), await Front.start(() => seq.url)];
  const forward = (...fronts) => ["--forward-urls", fronts.map((f) => `${f.url}/`).join(","), "--forward-ms", `${MS}`];
  const follower = await w.newValidator(forward(first, second));
  const metric = async (name, node = follower) =>
    Number(new RegExp(`^callipter_${name} (\\d+)$`, "m").exec(await (await fetch(`${node.url}/metrics`)).text())[1]);
  const user = w.user;
  const nonceOf = (wallet) => seq.provider.getTransactionCount(wallet.address);
  const sign = (nonce, more = {}, wallet = user) =>
    wallet.signTransaction({ chainId: CHAIN_ID, type: 2, nonce, to: w.owner.address, value: 1, gasLimit: 30000,
      maxFeePerGas: ethers.utils.parseUnits("1", "gwei"), maxPriorityFeePerGas: 0, ...more });
  const hashOf = ethers.utils.keccak256;
  const receipt = (hash, node = seq) => node.rpc("eth_getTransactionReceipt", [hash]);
  /** Sends a fresh one through the follower; it must have been taken. */
  const taken = async (node = follower) => {
    const raw = await sign(await nonceOf(user));
    assert.equal(await node.rpc(RAW, [raw]), hashOf(raw));
    assert.ok(await receipt(hashOf(raw)), "it is durable when it is answered");
    return raw;
  };
  const atHead = async () => follower.atBlock(Number((await seq.head()).number));
  /** Everything is whole again: no breaker is open. */
  const healed = async () => {
    for (const f of [first, second]) f.release();
    await until("the breakers to close", async () => (await taken(), (await metric("node_forward_breakers_open")) === 0), 60000);
  };

  const ready = await check("deposits arrive, and a universe is made", async () => {
    for (const wallet of [user, w.owner]) {
      await (await new ethers.Contract(w.at.inbox, inboxAbi, wallet)["depositEth()"]({ value: ether("3") })).wait();
      await until("the deposit", async () => (await seq.provider.getBalance(wallet.address)).eq(ether("3")));
    }
    await Universe.create(w.owner.connect(seq.provider), "arena");
    await atHead();
    return true;
  });
  if (!ready) return;

  await check("what is answered is durable; here it is pending, with its nonce, until it is in a block", async () => {
    const before = first.marked, raw = await taken(), hash = hashOf(raw), nonce = await nonceOf(user);
    assert.ok(first.marked > before, "the request says that it was handed on");
    const seen = await follower.rpc("eth_getTransactionByHash", [hash]);
    assert.equal(seen.from, user.address.toLowerCase());
    assert.equal(Number(await follower.rpc("eth_getTransactionCount", [user.address, "pending"])), nonce);
    await until("its block", () => receipt(hash, follower));
    assert.deepEqual(await receipt(hash, follower), await receipt(hash));
    assert.equal((await follower.rpc("eth_getTransactionByHash", [hash])).blockHash, (await receipt(hash)).blockHash);
  });
  await check("the synchronous form answers with the sequencer's receipt", async () => {
    const raw = await sign(await nonceOf(user));
    assert.deepEqual(await follower.rpc(SYNC, [raw, 5000]), await receipt(hashOf(raw)));
  });
  await check(`a batch of ${BATCH} of one sender keeps its order, over HTTP and a WebSocket`, async () => {
    const socket = await RawSocket.open(follower.address);
    for (const send of [(b) => follower.post(b), (b) => (socket.text(JSON.stringify(b)), socket.next())]) {
      const nonce = await nonceOf(user), asked = first.asked;
      const raws = await Promise.all(Array.from({ length: BATCH }, (_, i) => sign(nonce + i)));
      const body = raws.map((raw, id) => ({ jsonrpc: "2.0", id, method: id % 2 ? SYNC : RAW, params: [raw] }));
      body.splice(BATCH >> 1, 0, { jsonrpc: "2.0", id: "between", method: "eth_chainId" });
      const replies = await send(body);
      assert.deepEqual(replies.map((r) => r.id), body.map((r) => r.id));
      for (const r of replies) assert.equal(r.error, undefined, JSON.stringify(r.error));
      for (const r of replies.filter((r) => r.id !== "between"))
        assert.equal(r.result.transactionHash ?? r.result, hashOf(raws[r.id]));
      assert.equal(await nonceOf(user), nonce + BATCH);
      assert.ok(first.asked - asked <= BATCH / 50, `${first.asked - asked} requests`);
    }
    socket.close();
    await atHead();
  });
  await check("refusals are the sequencer's, code and data too, also on a universe's URL", async () => {
    const nonce = await nonceOf(user), poor = ethers.Wallet.createRandom();
    const cases = [
      [SYNC, await sign(nonce + 5)],
      [RAW, await sign(nonce - 1)],
      [RAW, await sign(nonce, { value: ether("100") })],
      [RAW, await sign(nonce, { maxFeePerGas: 1 })],
      [RAW, await sign(nonce, { gasLimit: 40000000 })],
      [RAW, await sign(0, { value: 0, maxFeePerGas: 0 }, poor)],
    ];
    for (const path of ["", "/u/arena"])
      for (const [method, raw] of cases) {
        const ask = async (url) =>
          (await fetch(url + path, { method: "POST", headers: { "content-type": "application/json" },
            body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: [raw] }) })).json();
        const asked = first.asked, own = await ask(seq.url);
        assert.ok(own.error, `${method} was taken`);
        assert.deepEqual(await ask(follower.url), own);
        assert.equal(first.asked, asked + 1);
      }
    assert.ok((await seq.call(SYNC, [cases[0][1]])).error.data, "a refusal with data is among them");
  });
  await check("what no sequencer would take is refused here, in its words", async () => {
    const nonce = await nonceOf(user), asked = first.asked;
    const raws = ["0x", "0x02c0", "0x03", await sign(nonce, { chainId: 1 }), await sign(nonce, { gasLimit: 20000 }),
      await sign(nonce, { maxFeePerGas: ether("1") }), `0x${"02".repeat(90000)}`];
    for (const raw of raws) {
      const own = await seq.call(RAW, [raw]);
      assert.ok(own.error);
      assert.deepEqual(await follower.call(RAW, [raw]), own);
    }
    assert.equal(first.asked, asked);
  });
  await check("nothing goes in circles", async () => {
    const raw = await sign(await nonceOf(user)), asked = first.asked;
    const loop = await follower.post({ jsonrpc: "2.0", id: 1, method: RAW, params: [raw] }, { "x-callipter-forwarded": "1" });
    assert.match(loop.error.message, /handed on/);
    const other = await w.newValidator(forward(follower), "other");
    assert.deepEqual((await other.call(RAW, [raw])).error, loop.error);
    assert.equal((await other.stop()).code, 0);
    assert.equal(first.asked, asked);
    assert.equal(await receipt(hashOf(raw)), null);
  });
  for (const fault of ["cut", "page", "status"])
    await check(`with an endpoint that answers with nothing of use (${fault}) the next one does`, async () => {
      first.fault = fault;
      await taken();
      await healed();
    });
  await check("what was taken though the answer was lost is answered as taken", async () => {
    first.fault = "lose";
    const raw = await taken();
    assert.match((await seq.call(RAW, [raw])).error.message, /nonce too low/); // as the second endpoint must have said
    const sync = await sign(await nonceOf(user));
    assert.deepEqual(await follower.rpc(SYNC, [sync]), await receipt(hashOf(sync)));
    await healed();
  });
  await check("without any answer it is told that it may have been taken", async () => {
    first.fault = second.fault = "lose";
    const raw = await sign(await nonceOf(user)), { error } = await follower.call(RAW, [raw]);
    assert.match(error.message, /may have been taken/);
    assert.equal(error.data, hashOf(raw));
    assert.ok(await receipt(hashOf(raw)));
    await healed();
  });
  await check("an endpoint that hangs costs its time, then a breaker opens; later it is tried again", async () => {
    first.fault = "cut";
    for (let i = 0; i < FAILURES; i++) await taken();
    assert.equal(await metric("node_forward_breakers_open"), 1);
    const asked = first.asked;
    await taken();
    assert.equal(first.asked, asked, "it is left alone");
    first.fault = "hold";
    const begun = performance.now();
    await until("a trial", async () => (await taken(), first.asked > asked));
    assert.ok(performance.now() - begun >= MS, "the trial waited for an answer");
    const again = first.asked;
    await taken();
    assert.equal(first.asked, again, "it is left alone again");
    await healed();
    assert.ok((await metric("node_forward_errors_total")) >= FAILURES + 1);
  });
  await check("what is too much is refused, and reads go on meanwhile", async () => {
    const few = await w.newValidator([...forward(first), "--forward-connections", "1", "--forward-max", "2"], "few");
    await few.atBlock(1);
    first.fault = "hold";
    const nonce = await nonceOf(user), raws = await Promise.all([0, 1, 2, 3].map((i) => sign(nonce + i)));
    const sent = raws.slice(0, 2).map((raw) => few.call(RAW, [raw]));
    await until("both to wait", async () => (await metric("node_forward_waiting", few)) === 2);
    for (const raw of raws.slice(2)) {
      const reply = await fetch(few.url, { method: "POST", headers: { "content-type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: RAW, params: [raw] }) });
      assert.equal(reply.status, 429);
      assert.equal((await reply.json()).error.code, BUSY);
    }
    assert.ok(Number(await few.rpc("eth_blockNumber")) > 0);
    first.release();
    for (const [i, { result }] of (await Promise.all(sent)).entries()) assert.equal(result, hashOf(raws[i]));
    assert.equal(await metric("node_forward_refusals_total", few), 2);
    first.fault = "hold"; // it stops though a request is out
    const late = few.call(RAW, [raws[2]]);
    await until("it to wait", async () => (await metric("node_forward_waiting", few)) === 1);
    const [end, { error }] = await Promise.all([few.stop(), late]);
    assert.equal(end.code, 0);
    assert.match(error.message, /shutting down/);
    first.held.length = 0;
    await healed();
  });
  await check("a sequencer that is killed meanwhile loses nothing that was answered", async () => {
    const start = await nonceOf(user), answers = [];
    const raws = await Promise.all(Array.from({ length: KILLED }, (_, i) => sign(start + i)));
    for (const [i, raw] of raws.entries()) {
      if (i === KILLED >> 1) await seq.stop("SIGKILL");
      const { result, error } = await follower.call(RAW, [raw]);
      assert.ok(result === hashOf(raw) || error.code === -32000, JSON.stringify(error));
      answers.push(result);
    }
    assert.equal(answers.filter((a) => a).length, KILLED >> 1);
    assert.match((await follower.call(RAW, [raws.at(-1)])).error.message, /cannot be reached|may have been taken/);
    seq = await w.sequencer();
    for (const hash of answers.filter((a) => a)) assert.ok(await receipt(hash));
    await until("the endpoints to be tried again", async () => !(await follower.call(RAW, [raws[await nonceOf(user) - start]])).error);
    for (let n = await nonceOf(user); n < start + KILLED; n++) assert.equal(await follower.rpc(RAW, [raws[n - start]]), hashOf(raws[n - start]));
    for (const raw of raws) await until("its receipt", () => receipt(hashOf(raw), follower));
    for (const raw of raws) assert.deepEqual(await receipt(hashOf(raw), follower), await receipt(hashOf(raw)));
  });
  await check("they stop", async () => {
    assert.equal((await follower.stop()).code, 0);
    assert.equal((await seq.stop()).code, 0);
    for (const f of [first, second]) f.stop();
  });
}
