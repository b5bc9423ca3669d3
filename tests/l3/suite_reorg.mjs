// The parent takes back blocks with deposits and batches in them, and messages are forced in.
import { readFileSync } from "node:fs";
import { ethers } from "ethers";
import { assert, check } from "../func/lib/suite.mjs";
import { request } from "../func/lib/api.mjs";
import { bridgeAbi, inboxAbi, sequencerInboxAbi } from "./lib/contracts.mjs";
import { REGISTRY, Universe } from "./lib/universe.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const ARB_SYS = "0x0000000000000000000000000000000000000064";
const DEPTHS = (process.env.DEPTHS ?? "1,2,3,5,8,10").split(",").map(Number);

export async function run() {
  const bounds = { delayBlocks: 40, futureBlocks: 200, delaySeconds: 86400, futureSeconds: 3600 };
  const w = await check("the contracts are on the parent", () => World.start({ bounds }));
  if (!w) return;
  const inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.user);
  const sequencerInbox = new ethers.Contract(w.at.sequencerInbox, sequencerInboxAbi, w.user);
  const bridge = new ethers.Contract(w.at.bridge, bridgeAbi, w.user);
  let seq = await w.sequencer();
  const validator = await w.newValidator();
  let user = w.user.connect(seq.provider);
  const batches = async () => (await sequencerInbox.batchCount()).toNumber();
  const deposit = async (value) => (await inbox["depositEth()"]({ value })).wait();
  const balance = (address, node = seq) => node.provider.getBalance(address);
  const headOf = async (node) => Number((await node.head()).number);
  const transfer = async (to, value, wallet = user) => {
    const nonce = await seq.provider.getTransactionCount(wallet.address);
    return (await wallet.sendTransaction({ to, value, nonce })).wait();
  };

  /** A transfer is posted, and both nodes have the same blocks up to it. */
  async function agree() {
    const { transactionHash } = await transfer(w.owner.address, 1);
    const receiptOf = (node) => node.rpc("eth_getTransactionReceipt", [transactionHash]);
    const there = await until("the transfer at the validator", async () => {
      const [a, b] = [await receiptOf(seq), await receiptOf(validator)];
      return a && b && a.blockHash === b.blockHash && b;
    });
    for (let i = 0; i <= Number(there.blockNumber); i++)
      assert.equal(await validator.hashOf(i), await seq.hashOf(i), `block ${i}`);
    const [a, b] = await Promise.all([seq, validator].map((node) => node.rpc("debug_tableDigests", [there.blockNumber])));
    assert.deepEqual(b, a);
  }

  /** A page of the universe's events after a cursor. */
  const SLUG = "tape";
  async function events(after) {
    const key = readFileSync(`${w.folder("sequencer")}/secrets/admin-key`, "utf8").trim();
    const page = await request(seq, "GET", `/v1/u/${SLUG}/events?limit=1000${after ? `&after=${after}` : ""}`, { key });
    assert.equal(page.status, 200, page.text);
    assert.equal(page.body.more, false);
    return page.body.items;
  }
  const bare = (items) => items.map(({ cursor: _, finality: __, ...e }) => e);
  /** Somebody who followed to `seen` is told of the fork, and gets what is there instead of what is gone. */
  async function forked(seen) {
    const last = seen.at(-1);
    const [reorg, ...rest] = await events(last.cursor);
    assert.equal(reorg.kind, "reorg");
    assert.ok(reorg.block < last.block);
    const all = await events();
    assert.deepEqual(bare([...seen.filter((e) => e.block <= reorg.block), ...rest]), bare(all));
    assert.ok(rest.every((e) => e.kind === "log" && e.cursor > reorg.cursor));
    assert.deepEqual(await events(reorg.cursor), rest);
    assert.ok(rest.some((e) => e.tx === last.tx), "what was undone is made again");
    const logs = await validator.rpc("eth_getLogs", [{ fromBlock: "0x0", address: REGISTRY }]);
    assert.deepEqual(all.map((e) => [e.blockHash, e.logIndex, e.raw.data]), logs.map((l) => [l.blockHash, Number(l.logIndex), l.data]));
  }

  let game;
  await check("a deposit that is deep in the parent", async () => {
    await deposit(ether("5"));
    await until("it", async () => (await balance(user.address)).eq(ether("5")));
    await transfer(w.owner.address, ether("1"));
    game = await Universe.create(w.owner.connect(seq.provider), SLUG);
    assert.equal((await events()).length, 1);
    await agree();
    await w.parent.mine(15);
  });
  for (const depth of DEPTHS)
    await check(`a re-org of ${depth} blocks that held a batch, and a deposit that is spent`, async () => {
      const guest = ethers.Wallet.createRandom().connect(seq.provider);
      if (depth > 2) await w.parent.mine(depth - 2);
      // With a depth of 1 only the batch goes.
      const before = await balance(user.address);
      let seen;
      if (depth > 1) {
        await deposit(ether("1"));
        await until("the deposit", async () => (await balance(user.address)).eq(before.add(ether("1"))));
        await transfer(guest.address, ether("0.5"));
        await game.send("depositGas", game.id, { value: depth });
        seen = await events();
      }
      const count = await batches();
      await transfer(w.owner.address, 1);
      await until("the batch", async () => (await batches()) > count);
      const spent = before.add(depth > 1 ? ether("1") : 0).sub(await balance(user.address));
      await w.parent.rpc("anvil_reorg", [depth, []]);
      assert.ok((await batches()) <= count, "the parent still has the batch");
      await w.parent.mine(1);
      if (depth > 1)
        await until("the deposit to be gone", async () => (await balance(user.address)).lte(before.sub(spent).add(ether("0.01"))));
      await agree();
      if (depth > 1) await forked(seen);
      assert.ok((await balance(user.address)).lte(before));
      if (depth > 1) assert.ok((await balance(guest.address)).eq(ether("0.5")), "the transfer was not made again");
    });
  await check("what became invalid has a tombstone and no receipt, and its logs are taken back", async () => {
    // Money that comes by a deposit to another account, withdrawn there, and lost with the deposit.
    const rich = w.parent.wallet(7), seen = [];
    const socket = new ethers.providers.WebSocketProvider(seq.url.replace("http", "ws"));
    socket.on({ address: ARB_SYS, topics: [] }, (log) => seen.push(log));
    await socket.getBlockNumber(); // the subscription was asked for before
    const polled = await seq.rpc("eth_newFilter", [{ address: ARB_SYS }]);
    await (await new ethers.Contract(w.at.inbox, inboxAbi, rich)["depositEth()"]({ value: ether("1") })).wait();
    await until("the deposit", async () => (await balance(rich.address)).eq(ether("1")));
    const data = new ethers.utils.Interface(["function withdrawEth(address) payable"]).encodeFunctionData("withdrawEth", [rich.address]);
    const there = rich.connect(seq.provider);
    const { hash } = await there.sendTransaction({ to: ARB_SYS, data, value: ether("0.9"), gasLimit: 1000000 });
    await until("its log", () => seen.some((l) => l.transactionHash === hash && !l.removed));
    await w.parent.rpc("anvil_reorg", [1, []]);
    await w.parent.mine(1);
    await until("its end", async () => (await seq.rpc("eth_getTransactionReceipt", [hash])) === null);
    await until("its log's end", () => seen.some((l) => l.transactionHash === hash && l.removed));
    await agree();
    assert.equal(await seq.rpc("eth_getTransactionReceipt", [hash]), null);
    assert.deepEqual(await seq.rpc("eth_getFilterChanges", [polled]), []);
    assert.deepEqual(await seq.rpc("callipter_getTombstone", [hash]), {
      transactionHash: hash, reason: "insufficient funds for gas * price + value",
    });
    await socket.destroy();
  });
  await check("a sequencer that is killed while it goes back loses no block of its own", async () => {
    const fresh = () => Array.from({ length: 5 }, () => ethers.Wallet.createRandom().address);
    for (const delay of [0, 20, 60]) {
      const guests = fresh();
      const before = await balance(user.address);
      await deposit(ether("1"));
      await until("the deposit", async () => (await balance(user.address)).gt(before));
      for (const guest of guests) await transfer(guest, 5);
      await w.parent.rpc("anvil_reorg", [1, []]);
      await w.parent.mine(1);
      await new Promise((resolve) => setTimeout(resolve, delay));
      await seq.stop("SIGKILL");
      seq = await w.sequencer();
      user = w.user.connect(seq.provider);
      await agree();
      for (const guest of guests) assert.ok((await balance(guest)).eq(5), `after ${delay} ms`);
    }
  });
  await check("low headroom asks for a higher bid; near its end what is due is taken and posted, final or not", async () => {
    assert.equal((await seq.stop()).code, 0);
    const slow = await w.sequencer(["--delayed-depth", "100000", "--batch-max-age", "3600"]);
    const there = w.user.connect(slow.provider);
    const headroom = async () => Number(/node_headroom (\d+)$/m.exec(await (await fetch(`${slow.url}/metrics`)).text())[1]);
    const before = await balance(user.address, slow);
    await deposit(ether("1"));
    await w.parent.mine(Math.floor(bounds.delayBlocks * 0.8));
    await until("low headroom", async () => (await headroom()) < 250);
    const price = await slow.provider.getGasPrice();
    const bid = async (times) => {
      const fees = { maxFeePerGas: price.mul(times), maxPriorityFeePerGas: 0 };
      const tx = await there.populateTransaction({ to: w.owner.address, value: 1, gasLimit: 21000, type: 2, ...fees });
      return slow.call("eth_sendRawTransaction", [await there.signTransaction(tx)]);
    };
    const { error } = await bid(2);
    assert.equal(error.code, -32005);
    assert.match(error.message, /settlement is late/);
    assert.ok((await bid(6)).result);
    assert.ok((await balance(user.address, slow)).lt(before), "the deposit is not final");
    await w.parent.mine(Math.floor(bounds.delayBlocks * 0.15));
    await until("the deposit", async () => (await balance(user.address, slow)).gt(before));
    await until("headroom", async () => (await headroom()) === 1000);
    assert.equal((await slow.stop()).code, 0);
    seq = await w.sequencer();
    user = w.user.connect(seq.provider);
    await agree();
  });
  await check("a message that is forced in comes before what was not posted", async () => {
    assert.equal((await seq.stop()).code, 0);
    // Long finality: the sequencer does not take it by itself, and posts nothing.
    const slow = await w.sequencer(["--delayed-depth", "100000", "--batch-max-age", "3600"]);
    const there = w.user.connect(slow.provider);
    const read = (await sequencerInbox.totalDelayedMessagesRead()).toNumber();
    const receipt = await deposit(ether("2"));
    const own = await (await there.sendTransaction({ to: w.owner.address, value: 7 })).wait();
    await w.parent.mine(bounds.delayBlocks + 1);
    const events = await bridge.queryFilter(bridge.filters.MessageDelivered(), 0, receipt.blockNumber);
    const last = events.at(-1);
    assert.ok(last.args.messageIndex.gte(read));
    const block = await w.parent.provider.getBlock(last.blockNumber);
    await (await sequencerInbox.forceInclusion(
      last.args.messageIndex.add(1), last.args.kind, [last.blockNumber, block.timestamp], last.args.baseFeeL1, last.args.sender,
      last.args.messageDataHash,
    )).wait();
    await until("the forced deposit before the own block", async () => {
      const moved = await slow.rpc("eth_getTransactionReceipt", [own.transactionHash]);
      return moved && Number(moved.blockNumber) > own.blockNumber;
    });
    assert.equal((await slow.stop()).code, 0); // and what is left is posted
    const end = Number(await until("all posted", async () => headOf(validator)));
    assert.ok(end >= own.blockNumber);
    await until("the own block at the validator", async () => validator.rpc("eth_getTransactionReceipt", [own.transactionHash]));
  });
  await check("the validator stops", async () => assert.equal((await validator.stop()).code, 0));
}
