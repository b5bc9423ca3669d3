// The parent takes back blocks with deposits and batches in them, and messages are forced in.
import { readFileSync } from "node:fs";
import path from "node:path";
import { ethers } from "ethers";
import { itemList, makeGame, mint, registry } from "../../scripts/l3/game.mjs";
import { followers } from "../func/lib/follow.mjs";
import { assert, check } from "../func/lib/suite.mjs";
import { bridgeAbi, inboxAbi, sequencerInboxAbi } from "./lib/contracts.mjs";
import { until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const ARB_SYS = "0x0000000000000000000000000000000000000064";
const DEPTHS = (process.env.DEPTHS ?? "1,2,3,5,8,10").split(",").map(Number);

const PLAYERS = Array.from({ length: 5 }, (_, i) => ethers.utils.hexZeroPad(ethers.utils.hexlify(0x5000 + i), 20));

/** A list of the API from its first page to its last. */
async function pages(api, path) {
  const all = [];
  for (let page, after = ""; !page || page.next; after = `&after=${page.next}`) {
    page = await api.get(`${path}limit=3${after}`);
    all.push(...page.items);
  }
  return all;
}

/** What the read models say: who has what by player, and the same by token. */
async function readModels(game) {
  const inventories = new Map(), holders = new Map();
  for (const player of PLAYERS)
    for (const h of await pages(game.api, `/v1/u/${game.slug}/players/${player}/inventory?`))
      inventories.set(`${player} ${h.id}`, BigInt(h.amount));
  const classes = await pages(game.api, `${game.path}/classes?`);
  for (const { id, supply } of classes) {
    const list = await pages(game.api, `${game.path}/holders?id=${id}&`);
    for (const h of list) holders.set(`${h.holder} ${id}`, BigInt(h.amount));
    assert.equal(list.reduce((n, h) => n + BigInt(h.amount), 0n), BigInt(supply), `supply of ${id}`);
  }
  return { inventories, holders };
}

/** Every event that stands; without what depends on when one asks. */
const standing = (list) => list.map(({ cursor, finality, ...e }) => e);

async function allEvents(game) {
  const { items, more } = await game.api.get(`/v1/u/${game.slug}/events?limit=1000`);
  assert.ok(!more);
  return standing(items);
}

/** Every follower has heard of everything that stands, of nothing else, and its books are the read models. Gives the events. */
async function caughtUp(game, list) {
  const all = await allEvents(game);
  const { inventories, holders } = await readModels(game);
  for (const f of list) {
    const same = () => f.failed || JSON.stringify(standing(f.journal)) === JSON.stringify(all);
    await until(`${f.name} to have heard of everything`, same).catch(() => assert.deepEqual(standing(f.journal), all, f.name));
    if (f.failed) throw f.failed;
    const books = [...f.holdings()].sort();
    assert.deepEqual(books, [...inventories].sort(), `${f.name} and inventories`);
    assert.deepEqual(books, [...holders].sort(), `${f.name} and holders`);
  }
  return all;
}

export async function run() {
  const bounds = { delayBlocks: 40, futureBlocks: 200, delaySeconds: 86400, futureSeconds: 3600 };
  const w = await check("the contracts are on the parent", () => World.start({ bounds }));
  if (!w) return;
  const inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.user);
  const sequencerInbox = new ethers.Contract(w.at.sequencerInbox, sequencerInboxAbi, w.user);
  const bridge = new ethers.Contract(w.at.bridge, bridgeAbi, w.user);
  const operator = ["--operator-key", w.keyFile(w.owner)];
  let seq = await w.sequencer(operator);
  const validator = await w.newValidator();
  let user = w.user.connect(seq.provider);
  const batches = async () => (await sequencerInbox.batchCount()).toNumber();
  const deposit = async (value) => (await inbox["depositEth()"]({ value })).wait();
  const balance = (address, node = seq) => node.provider.getBalance(address);
  const parentHead = async () => Number(await w.parent.rpc("eth_blockNumber"));
  const headroomOf = async (node) => Number(/node_headroom (\d+)$/m.exec(await (await fetch(`${node.url}/metrics`)).text())[1]);
  const transfer = async (to, value, wallet = user) => {
    // While blocks are made again the nonce that was told may be an older one.
    const send = async () =>
      wallet.sendTransaction({ to, value, nonce: await seq.provider.getTransactionCount(wallet.address) }).catch((e) => {
        if (e.code !== "NONCE_EXPIRED") throw e;
      });
    return (await until("the nonce", send)).wait();
  };

  /** The parent takes back what is above its block `number` (a slow machine puts more batches there) and mines no more until goOn. */
  const takeBack = async (number) => {
    await w.parent.rpc("evm_setAutomine", [false]);
    await w.parent.rpc("anvil_reorg", [(await parentHead()) - number, []]);
  };
  const goOn = async () => {
    await w.parent.rpc("evm_setAutomine", [true]);
    await w.parent.mine(1);
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
    const digests = (node) => node.rpc("debug_tableDigests", [there.blockNumber]);
    assert.deepEqual(await digests(validator), await digests(seq));
  }

  await check("a deposit that is deep in the parent", async () => {
    await deposit(ether("50"));
    await until("it", async () => (await balance(user.address)).eq(ether("50")));
    await agree();
  });
  const game = await check("a game, followed by cursor in three ways", async () => {
    await (await user.sendTransaction({ to: w.owner.address, value: ether("2") })).wait();
    const key = readFileSync(path.join(w.folder("sequencer"), "secrets/admin-key"), "utf8").trim();
    const made = await makeGame(seq.url, key, { slug: "tape", owner: w.owner.address, gas: ether("1"), classes: 3, supply: 0 });
    await agree();
    await w.parent.mine(15);
    return made;
  });
  if (!game) return;
  const at = { url: seq.url, slug: game.slug, key: game.api.key };
  const following = followers(at);
  let minted = 0;
  /** New items for everybody; the block of the last. */
  const play = async () => {
    const hashes = await mint(game, itemList(minted, 7, 3, (i) => PLAYERS[i % PLAYERS.length]));
    minted += 7;
    return Number((await seq.rpc("eth_getTransactionReceipt", [hashes.at(-1)])).blockNumber);
  };
  /** A deposit and a batch in one block of the parent, which mines no other until told. */
  const depositWithBatch = async () => {
    await w.parent.rpc("evm_setAutomine", [false]);
    await transfer(w.owner.address, 1);
    await until("a batch on its way", async () => Number((await w.parent.rpc("txpool_status")).pending) > 0);
    const sent = await inbox["depositEth()"]({ value: ether("1") });
    await w.parent.mine(1);
    await sent.wait();
  };

  for (const depth of DEPTHS)
    await check(`a re-org of ${depth} blocks that held a batch, and a deposit that is spent`, async () => {
      const guest = ethers.Wallet.createRandom().connect(seq.provider);
      await play();
      await agree();
      const fork = await parentHead();
      if (depth > 2) await w.parent.mine(depth - 2);
      const before = await balance(user.address), count = await batches();
      if (depth > 1) await deposit(ether("1"));
      else await depositWithBatch();
      await until("the deposit", async () => (await balance(user.address)).gt(before.add(ether("0.9"))));
      await transfer(guest.address, ether("0.5"));
      const played = await play();
      if (depth > 1) await transfer(w.owner.address, 1);
      await until("the batch", async () => (await batches()) > count);
      const undone = await seq.hashOf(played);
      if (depth > 1) await until("it at the validator", async () => (await validator.hashOf(played)) === undone);
      await caughtUp(game, following);
      const marks = following.map((f) => f.told.length), books = following[0].books();

      assert.ok((await parentHead()) >= fork + depth);
      await takeBack(fork);
      assert.equal(await batches(), count, "the parent still has the batch");
      await goOn();
      await until("the deposit to be gone", async () => (await balance(user.address)).lt(before.sub(ether("0.4"))));
      await agree();
      assert.ok((await balance(guest.address)).eq(ether("0.5")), "the transfer was not made again");
      for (const node of [seq, validator]) assert.notEqual(await node.hashOf(played), undone);

      await caughtUp(game, following);
      for (const [i, f] of following.entries()) {
        const [first] = f.told.slice(marks[i]);
        assert.equal(first?.kind, "reorg", `${f.name} was told ${JSON.stringify(first)}`);
        assert.ok(first.block < played, `${f.name}: back to ${first.block}, and block ${played} was undone`);
      }
      // Who was away meanwhile, and comes back with a cursor above the fork.
      const late = followers(at, books);
      const all = await caughtUp(game, late);
      const logs = await validator.rpc("eth_getLogs", [{ fromBlock: "0x0", address: [game.items, registry] }]);
      assert.deepEqual(all.map((e) => [e.blockHash, e.logIndex, e.raw.data]), logs.map((l) => [l.blockHash, Number(l.logIndex), l.data]));
      for (const f of late) {
        assert.deepEqual([f.told[0]?.kind, f.told.slice(1).some((e) => e.kind === "reorg")], ["reorg", false], f.name);
        assert.ok(f.told[0].block < played, f.name);
        assert.deepEqual(standing(f.told), standing(late[0].told), f.name);
        await f.stop();
      }
    });
  await check("the followers end without a complaint", async () => {
    for (const f of following) await f.stop();
  });
  await check("a batch that the parent had and lost, with no re-org to tell, is posted", async () => {
    const count = await batches();
    const nonce = (tag) => w.poster.getTransactionCount(tag);
    await w.parent.rpc("evm_setAutomine", [false]);
    await transfer(w.owner.address, 1);
    await until("the batch in the pool", async () => (await nonce("pending")) > (await nonce("latest")));
    seq.child.kill("SIGSTOP"); // it might send it again before it is looked at
    await w.parent.rpc("anvil_dropAllTransactions", []);
    assert.equal(await nonce("pending"), await nonce("latest"));
    await w.parent.rpc("evm_setAutomine", [true]);
    seq.child.kill("SIGCONT");
    await agree();
    assert.ok((await batches()) > count);
  });
  await check("what became invalid has a tombstone and no receipt, and its logs are taken back", async () => {
    // Money that comes by a deposit to another account, withdrawn there, and lost with the deposit.
    const rich = w.parent.wallet(7), seen = [];
    const socket = new ethers.providers.WebSocketProvider(seq.url.replace("http", "ws"));
    socket.on({ address: ARB_SYS, topics: [] }, (log) => seen.push(log));
    await socket.getBlockNumber(); // the subscription was asked for before
    const polled = await seq.rpc("eth_newFilter", [{ address: ARB_SYS }]);
    const fork = await parentHead();
    await (await new ethers.Contract(w.at.inbox, inboxAbi, rich)["depositEth()"]({ value: ether("1") })).wait();
    await until("the deposit", async () => (await balance(rich.address)).eq(ether("1")));
    const data = new ethers.utils.Interface(["function withdrawEth(address) payable"]).encodeFunctionData("withdrawEth", [rich.address]);
    const there = rich.connect(seq.provider);
    const { hash } = await there.sendTransaction({ to: ARB_SYS, data, value: ether("0.9"), gasLimit: 1000000 });
    await until("its log", () => seen.some((l) => l.transactionHash === hash && !l.removed));
    await takeBack(fork);
    await goOn();
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
      const before = await balance(user.address), fork = await parentHead();
      await deposit(ether("1"));
      await until("the deposit", async () => (await balance(user.address)).gt(before));
      for (const guest of guests) await transfer(guest, 5);
      await takeBack(fork);
      await goOn();
      await new Promise((resolve) => setTimeout(resolve, delay));
      await seq.stop("SIGKILL");
      seq = await w.sequencer();
      user = w.user.connect(seq.provider);
      await agree();
      for (const guest of guests) assert.ok((await balance(guest)).eq(5), `after ${delay} ms`);
    }
  });
  await check("reports alone are posted when they are old: a chain that nobody uses does not stall", async () => {
    const count = await batches();
    await w.parent.mine(Math.floor(bounds.delayBlocks * 0.6));
    await until("the batch", async () => (await batches()) > count);
    await w.parent.mine(Math.floor(bounds.delayBlocks * 0.6));
    await until("the next", async () => (await batches()) > count + 1);
    await until("headroom", async () => (await headroomOf(seq)) > 500);
    await agree();
  });
  await check("low headroom asks for a higher bid; near its end what is due is taken and posted, final or not", async () => {
    await seq.stopPosted();
    const slow = await w.sequencer(["--delayed-depth", "100000", "--batch-max-age", "3600"]);
    const there = w.user.connect(slow.provider);
    const before = await balance(user.address, slow);
    await deposit(ether("1"));
    await w.parent.mine(Math.floor(bounds.delayBlocks * 0.8));
    await until("low headroom", async () => (await headroomOf(slow)) < 250);
    const price = await slow.provider.getGasPrice();
    const bid = async (times) => {
      const fees = { maxFeePerGas: price.mul(times), maxPriorityFeePerGas: 0 };
      const tx = await there.populateTransaction({ to: w.owner.address, value: 1, gasLimit: 21000, type: 2, ...fees });
      return slow.call("eth_sendRawTransaction", [await there.signTransaction(tx)]);
    };
    const { error } = await bid(2);
    assert.equal(error.code, -32005);
    assert.match(error.message, /settlement is late/);
    const count = await batches();
    assert.ok((await bid(6)).result);
    assert.ok((await balance(user.address, slow)).lt(before), "the deposit is not final");
    await until("the batch", async () => (await batches()) > count); // the last block that the parent mines by itself
    await w.parent.mine(Math.floor(bounds.delayBlocks * 0.1));
    await until("the deposit", async () => (await balance(user.address, slow)).gt(before));
    await until("headroom", async () => (await headroomOf(slow)) > 500); // a report may be left, which is younger
    assert.equal((await slow.stop()).code, 0);
    seq = await w.sequencer();
    user = w.user.connect(seq.provider);
    await agree();
  });
  await check("a message that is forced in comes before what was not posted", async () => {
    await seq.stopPosted();
    // Long finality: the sequencer does not take it by itself, and posts nothing.
    const slow = await w.sequencer(["--delayed-depth", "100000", "--batch-max-age", "3600"]);
    const there = w.user.connect(slow.provider);
    const read = (await sequencerInbox.totalDelayedMessagesRead()).toNumber();
    const receipt = await deposit(ether("2"));
    const own = await (await there.sendTransaction({ to: w.owner.address, value: 7 })).wait();
    slow.child.kill("SIGSTOP"); // else it posts its block before that, since headroom ends
    await w.parent.mine(bounds.delayBlocks + 1);
    const events = await bridge.queryFilter(bridge.filters.MessageDelivered(), 0, receipt.blockNumber);
    const last = events.at(-1);
    assert.ok(last.args.messageIndex.gte(read));
    const block = await w.parent.provider.getBlock(last.blockNumber);
    await (await sequencerInbox.forceInclusion(
      last.args.messageIndex.add(1), last.args.kind, [last.blockNumber, block.timestamp], last.args.baseFeeL1, last.args.sender,
      last.args.messageDataHash,
    )).wait();
    slow.child.kill("SIGCONT");
    await until("the forced deposit before the own block", async () => {
      const moved = await slow.rpc("eth_getTransactionReceipt", [own.transactionHash]);
      return moved && Number(moved.blockNumber) > own.blockNumber;
    });
    await slow.stopPosted();
    await validator.atBlock(own.blockNumber);
    await until("the own block at the validator", async () => validator.rpc("eth_getTransactionReceipt", [own.transactionHash]));
  });
  await check("the validator stops", async () => assert.equal((await validator.stop()).code, 0));
}
