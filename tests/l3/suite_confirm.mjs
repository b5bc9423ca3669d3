// Assertions that a committee confirms, and what comes of them on the parent.
import { ethers } from "ethers";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi, rollupAbi } from "./lib/contracts.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;

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
  await check("all stop", async () => {
    assert.equal((await proposer.stop()).code, 0);
    assert.equal((await seq.stop()).code, 0);
  });
}
