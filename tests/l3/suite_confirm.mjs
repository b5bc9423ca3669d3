// Assertions that a committee confirms, and what comes of them on the parent.
import http from "node:http";
import { ethers } from "ethers";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi, rollupAbi } from "./lib/contracts.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;

/** The sequencer's JSON-RPC as one would serve it that lies about a header field from block `from` on. */
function liar(target, from, field) {
  const server = http.createServer(async (req, res) => {
    let body = "";
    for await (const d of req) body += d;
    const call = JSON.parse(body);
    const answer = await (await fetch(target, { method: "POST", headers: { "content-type": "application/json" }, body })).json();
    if (call.method === "debug_getRawHeader" && Number(call.params[0]) >= from && answer.result) {
      const fields = ethers.utils.RLP.decode(answer.result);
      fields[Number(call.params[0]) === from ? field : 0] = ethers.utils.id("a lie");
      answer.result = ethers.utils.RLP.encode(fields);
    }
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(answer));
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      server.url = `http://127.0.0.1:${server.address().port}`;
      server.unref();
      resolve(server);
    });
  });
}

export async function run() {
  const w = await check("the contracts are on the parent, with a committee of two out of three", () => World.start({ threshold: 2 }));
  if (!w) return;
  const inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.user);
  const rollup = new ethers.Contract(w.at.rollup, rollupAbi, w.user);
  const seq = await w.sequencer();
  const user = w.user.connect(seq.provider);
  const transfer = async () => (await user.sendTransaction({ to: w.owner.address, value: 1 })).wait();
  await (await inbox["depositEth()"]({ value: ether("3") })).wait();
  await until("the deposit", async () => (await seq.provider.getBalance(user.address)).gt(0));

  const member = await check("a member starts", () => w.newValidator([...w.member(0), "--sequencer-url", seq.url], "member"));
  const proposerArgs = [...w.member(1), "--proposer-key", w.keyFile(w.proposer), "--member-urls", member.url];
  const proposer = await check("a member that proposes starts", () => w.newValidator(proposerArgs, "proposer"));
  const confirmed = () => rollup.queryFilter(rollup.filters.AssertionConfirmed());

  await check("the first assertion, over batch 0 alone, is confirmed with block 0", async () => {
    const [event] = await until("it", async () => (await confirmed()).length > 0 && confirmed());
    assert.equal(event.args.blockHash, w.genesisHash);
    assert.equal(event.args.sendRoot, ethers.constants.HashZero);
  });
  await check("then one that has a transfer in it", async () => {
    const { blockNumber } = await transfer();
    await until("it", async () => {
      const { blockHash } = (await confirmed()).at(-1).args;
      const block = await seq.rpc("eth_getBlockByHash", [blockHash, false]);
      return block && Number(block.number) >= blockNumber;
    });
    const latest = (await confirmed()).at(-1).args;
    assert.equal(await rollup.latestConfirmed(), latest.assertionHash);
  });
  await check("a member signs nothing but what it computed", async () => {
    const expectedHash = ethers.utils.id("another");
    const claim = { batchCount: "0x1", blockHash: expectedHash, sendRoot: expectedHash, expectedHash };
    const { error } = await member.call("callipter_signAssertion", [claim]);
    assert.equal(error.code, -32000);
  });
  await check("one member alone confirms nothing", async () => {
    await member.stop();
    const before = (await confirmed()).length, said = proposer.err.length;
    await transfer();
    await until("the refusal", () => proposer.err.slice(said).includes("with 1 signatures"));
    assert.equal((await confirmed()).length, before);
  });
  for (const [field, name] of [[3, "stateRoot"], [5, "receiptsRoot"], [12, "sendRoot"]])
    await check(`a sequencer that lies about ${name} is found out: block and field are named, nothing is signed`, async () => {
      const { blockNumber } = await transfer();
      const lies = await liar(seq.url, blockNumber, field);
      const before = (await confirmed()).length;
      const doubter = await w.newValidator([...w.member(2), "--sequencer-url", lies.url], `doubter-${name}`);
      const words = new RegExp(`block ${blockNumber} differs in ${name}`);
      await until("the alarm", () => words.test(doubter.err));
      const ready = await fetch(`${doubter.url}/readyz`);
      assert.equal(ready.status, 503);
      assert.match(await ready.text(), words);
      assert.match(await (await fetch(`${doubter.url}/metrics`)).text(), /node_differs 1$/m);
      const hash = ethers.utils.id("any");
      const claim = { batchCount: "0x1", blockHash: hash, sendRoot: hash, expectedHash: hash };
      assert.match((await doubter.call("callipter_signAssertion", [claim])).error.message, words);
      assert.equal((await confirmed()).length, before);
      assert.equal((await doubter.stop()).code, 0);
      lies.close();
    });
  await check("all stop", async () => {
    assert.equal((await proposer.stop()).code, 0);
    assert.equal((await seq.stop()).code, 0);
  });
}
