// A sequencer that lies, with a member of the committee that lies with it and proposes ($LIAR, the program with tests/l3/liar.c before
// some of its functions): the honest member names block and field, signs nothing, and nothing more is confirmed. Then honest nodes
// take over: the batches that the liar posted are confirmed as what they are.
import { ethers } from "ethers";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi, rollupAbi, sequencerInboxAbi, bridgeAbi } from "./lib/contracts.mjs";
import { play, REGISTRY, Universe } from "./lib/universe.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const ARB_SYS = "0x0000000000000000000000000000000000000064";
const withdrawal = new ethers.utils.Interface(["function withdrawEth(address) payable"]);
/** Stores the first argument of whatever is called. */
const BOX = "6004355f5500";
const BOX_INIT = `0x6006600a5f3960065ff3${BOX}`;
const box = new ethers.utils.Interface(["function play(uint256)", "function pass(uint256)"]);
const FEE = ethers.utils.parseUnits("1", "gwei");
const DIFFERS = /block (\d+) differs in ([^:]*): its hash is/;
/** Blocks between the takeover and a lie that has no cause: those that are there and not on the parent yet come before. */
const AHEAD = 3;

export async function run() {
  const w = await check("the contracts are on the parent, with a committee of two out of three", () => World.start({ threshold: 2 }));
  if (!w) return;
  const liar = process.env.LIAR;
  const rollup = new ethers.Contract(w.at.rollup, rollupAbi, w.user);
  const sequencerInbox = new ethers.Contract(w.at.sequencerInbox, sequencerInboxAbi, w.user);
  const bridge = new ethers.Contract(w.at.bridge, bridgeAbi, w.user);
  const inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.user);
  let seq, member, proposer, user;

  /** The three nodes; the liars are on copies of the folders. */
  const start = async (lie) => {
    const how = lie ? { binary: liar, env: lie } : {};
    const name = (n) => (lie ? `${n}-${lie.LIE}` : n);
    if (lie) for (const n of ["sequencer", "proposer"]) w.copyFolder(n, name(n));
    seq = await w.sequencer([], name("sequencer"), how);
    member = await w.newValidator([...w.member(0), "--sequencer-url", seq.url], "member");
    const flags = [...w.member(1), "--proposer-key", w.keyFile(w.proposer), "--member-urls", member.url];
    proposer = await w.newValidator(flags, name("proposer"), how);
    user = w.user.connect(seq.provider);
  };
  const stop = async (signal) => {
    for (const node of [seq, proposer, member]) await node.stop(signal);
  };
  const transfer = async () => (await user.sendTransaction({ to: w.owner.address, value: 1 })).wait();
  /** The newest confirmed assertion: batches, block's hash. */
  const confirmed = async () => {
    const hash = await rollup.latestConfirmed();
    const [event] = await rollup.queryFilter(rollup.filters.AssertionCreated(hash));
    const { bytes32Vals, u64Vals } = event.args.assertion.afterState.globalState;
    return { hash, blockHash: bytes32Vals[0], batches: u64Vals[0].toNumber() };
  };
  const allConfirmed = async () => {
    const count = (await sequencerInbox.batchCount()).toNumber();
    return (await confirmed()).batches === count;
  };

  let universe, place, player;
  const ready = await check("an honest part: a deposit, a universe that pays, a withdrawal; all of it is confirmed", async () => {
    await start();
    for (const wallet of [w.user, w.owner])
      await (await new ethers.Contract(w.at.inbox, inboxAbi, wallet)["depositEth()"]({ value: ether("5") })).wait();
    for (const wallet of [w.user, w.owner])
      await until("the deposit", async () => (await seq.provider.getBalance(wallet.address)).gt(0));
    universe = await Universe.create(w.owner.connect(seq.provider), "arena");
    place = await universe.deploy(1, BOX_INIT);
    await universe.sponsor(place, box.getSighash("play"));
    player = ethers.Wallet.createRandom().connect(seq.provider);
    await (await user.sendTransaction({ to: player.address, value: ether("1") })).wait();
    const paid = await play(player, place, box.encodeFunctionData("play", [1]), FEE);
    assert.equal(ethers.utils.getAddress(paid.gasPayer), REGISTRY);
    const own = await play(player, place, box.encodeFunctionData("pass", [2]), FEE);
    assert.equal(ethers.utils.getAddress(own.gasPayer), player.address);
    const data = withdrawal.encodeFunctionData("withdrawEth", [user.address]);
    const { blockNumber } = await (await user.sendTransaction({ to: ARB_SYS, value: 5, data })).wait();
    await until("confirmation", async () => {
      const block = await seq.rpc("eth_getBlockByHash", [(await confirmed()).blockHash, false]);
      return block && Number(block.number) >= blockNumber;
    });
    return true;
  });
  if (!ready) return;

  const thief = ethers.Wallet.createRandom().address;
  const reach = async (lie) => {
    while (Number((await seq.head()).number) < Number(lie.LIE_FROM)) await transfer();
  };
  const gift = async () => {
    await transfer(); // the report about its batch is what the liar takes
    await until("the invented deposit", async () => (await seq.provider.getBalance(thief)).gt(0));
    await transfer();
  };
  const played = (method, payer) => async () => {
    const receipt = await play(player.connect(seq.provider), place, box.encodeFunctionData(method, [3]), FEE);
    assert.equal(ethers.utils.getAddress(receipt.gasPayer), payer());
    return Number(receipt.blockNumber);
  };
  const lies = [
    { name: "stateRoot", said: "stateRoot", field: "stateRoot", act: reach, isAhead: true },
    { name: "sendRoot", said: "sendRoot (extraData)", field: "sendRoot (extraData)", act: reach, isAhead: true },
    { name: "deposit", said: "transaction 0 in hash, type (0x6a here, 0x64 there)", field: "transactionsRoot", whose: () => thief, act: gift },
    { name: "sponsor", said: "transaction 0 in gasPayer", field: "transactions.gasPayer", whose: () => player.address, act: played("pass", () => REGISTRY) },
    { name: "sender", said: "gasPayer", field: "transactions.gasPayer", whose: () => player.address, act: played("play", () => player.address) },
  ];
  for (const { name, said, field, whose, act, isAhead } of lies) {
    let found;
    await check(`${name}: the honest member names block and field`, async () => {
      const head = Number((await seq.head()).number);
      await seq.stopPosted();
      await until("confirmation of the last batch", allConfirmed);
      await stop();
      const from = isAhead ? head + AHEAD : (await bridge.delayedMessageCount()).toNumber();
      const lie = { LIE: name, LIE_FROM: String(from), LIE_FOR: whose?.() ?? ethers.constants.AddressZero };
      await start(lie);
      const number = await act(lie);
      const text = await until("the difference", () => DIFFERS.exec(member.err));
      found = Number(text[1]);
      assert.ok(text[2].includes(said), text[0]);
      if (isAhead) assert.equal(found, from);
      if (number !== undefined) assert.equal(found, number);
      assert.notEqual(await member.hashOf(found), await seq.hashOf(found));
      assert.equal(await member.hashOf(found - 1), await seq.hashOf(found - 1));
      assert.equal(await proposer.hashOf(found), await seq.hashOf(found));
      const metrics = await (await fetch(`${member.url}/metrics`)).text();
      const lines = metrics.split("\n").filter((l) => l.startsWith("callipter_node_differs"));
      for (const line of ["differs 1", `differs_block ${found}`, `differs_in{field="${field}"} 1`])
        assert.ok(lines.includes(`callipter_node_${line}`), `${line} is not in\n${lines.join("\n")}`);
      assert.equal((await fetch(`${member.url}/readyz`)).status, 503);
    });
    await check(`${name}: it signs nothing, so nothing is confirmed with the lie`, async () => {
      await until("the refusal", () => proposer.err.includes("with 1 signatures"));
      // Asked before it had compared the block, it says that it is not ready.
      const named = new RegExp(`a member does not sign.*block ${found} differs in`);
      await until("the reason", () => named.test(proposer.err));
      const before = await confirmed();
      const block = await seq.rpc("eth_getBlockByHash", [before.blockHash, false]);
      assert.ok(Number(block.number) < found && (await member.hashOf(Number(block.number))) === before.blockHash);
      await transfer();
      await sleep(2500); // two turns of the proposer
      assert.equal(await rollup.latestConfirmed(), before.hash);
      assert.ok((await sequencerInbox.batchCount()).gt(before.batches));
    });
    await check(`${name}: without the lie the same batches are confirmed`, async () => {
      await stop("SIGKILL");
      const batches = (await sequencerInbox.batchCount()).toNumber();
      await start();
      await transfer();
      await until("confirmation", async () => (await confirmed()).batches >= batches);
      const { blockHash } = await confirmed();
      const { number } = await until("its block", () => seq.rpc("eth_getBlockByHash", [blockHash, false]));
      assert.ok(Number(number) >= found);
      assert.equal((await seq.provider.getBalance(thief)).toNumber(), 0);
      await until("the last batch", allConfirmed);
      assert.ok(!member.err.includes("differs"));
    });
  }
  await check("all stop", async () => {
    for (const node of [seq, proposer, member]) assert.equal((await node.stop()).code, 0);
  });
}
