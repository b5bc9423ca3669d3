// A history with everything in it, in at least BATCHES (20) batches: users' transactions of each type, creations, deposits, tickets with
// every end, transactions of the parent's senders, universes that pay, that are paused, blocks by the dozen in one second, withdrawals.
// Then a validator that knows nothing, executes with the other tier on the plainest code for its processor, and has nothing but the
// parent, must have the same: blocks at every batch, receipts, logs, state, and the digest of each derived table.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { ethers } from "ethers";
import { ParentToChildMessageStatus, ParentTransactionReceipt } from "@arbitrum/sdk";
import { contract } from "../func/lib/compile.mjs";
import { factoryAddress } from "../func/lib/registry.mjs";
import { BINARY } from "../func/lib/node.mjs";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi, sequencerInboxAbi } from "./lib/contracts.mjs";
import { network } from "./lib/sdk.mjs";
import { signSetCode } from "./lib/setcode.mjs";
import { play, REGISTRY, Universe } from "./lib/universe.mjs";
import { CHAIN_ID, until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const { hexValue, keccak256 } = ethers.utils;
const BATCHES = Number(process.env.BATCHES ?? 20);
const BURST = 8;
const MAX_FEE = ethers.utils.parseUnits("1", "gwei");
const TICKET_LIFE_S = 7 * 86400;
const ARB_SYS = "0x0000000000000000000000000000000000000064";
const RETRYABLE = "0x000000000000000000000000000000000000006E";
const arbSys = new ethers.utils.Interface(["function withdrawEth(address) payable", "function sendTxToL1(address,bytes)"]);
const tickets = new ethers.utils.Interface(["function getTimeout(bytes32) view returns (uint256)"]);
/** Reverts without calldata until some has been sent: storage 0. */
const GATE = "36600f575f54600d575f5ffd005b005b60015f5500";
const GATE_INIT = `0x60${(GATE.length / 2).toString(16)}600a5f3960${(GATE.length / 2).toString(16)}5ff3${GATE}`;

/** A template's interface and creation code with these arguments. */
function template(name, args) {
  const read = (file) => readFileSync(new URL(`../../genesis/templates/${file}`, import.meta.url), "utf8").trim();
  const factory = new ethers.ContractFactory(JSON.parse(read(`${name}.abi.json`)), `0x${read(`${name}.hex`)}`);
  return { abi: factory.interface, code: factory.getDeployTransaction(...args).data };
}

const aliasOf = (a) => ethers.utils.getAddress(ethers.utils.hexZeroPad(
  ethers.utils.hexlify((BigInt(a) + 0x1111000000000000000000000000000000001111n) % (1n << 160n)), 20));

/** All that the rest of the suite does with the sequencer. */
class Story {
  static async start(w, seq) {
    const s = Object.assign(new Story(), { w, seq });
    s.user = w.user.connect(seq.provider);
    s.owner = w.owner.connect(seq.provider);
    s.inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.user);
    s.sequencerInbox = new ethers.Contract(w.at.sequencerInbox, sequencerInboxAbi, w.user);
    await network(w);
    for (const wallet of [w.user, w.owner]) {
      await (await s.inbox.connect(wallet)["depositEth()"]({ value: ether("20") })).wait();
      await until("the deposit", async () => (await seq.provider.getBalance(wallet.address)).gt(0));
    }
    return s;
  }

  async batches() {
    return (await this.sequencerInbox.batchCount()).toNumber();
  }

  async batch(fn) {
    const before = await this.batches();
    await fn();
    await until("the batch", async () => (await this.batches()) > before);
  }

  async send(tx) {
    return (await this.user.sendTransaction(tx)).wait();
  }

  async transfer(type, to, value) {
    const fees = type === 2 ? { maxFeePerGas: MAX_FEE, maxPriorityFeePerGas: 1 } : { gasPrice: MAX_FEE };
    const list = type === 0 ? {} : { accessList: [{ address: to, storageKeys: [ethers.constants.HashZero] }] };
    return this.send({ type, to, value, gasLimit: 60000, ...list, ...fees });
  }

  /** Blocks as fast as they come. */
  async burst() {
    for (let i = 0; i < BURST; i++) await this.transfer(i % 3, this.w.poster.address, 1 + i);
  }

  async ticket(to, gasLimit, data = "0x") {
    const fee = ether("0.001"), value = fee.add(7).add(MAX_FEE.mul(gasLimit));
    const args = [to, 7, fee, this.user.address, this.user.address, gasLimit, MAX_FEE, data];
    const sent = await this.inbox.unsafeCreateRetryableTicket(...args, { value });
    const [message] = await new ParentTransactionReceipt(await sent.wait()).getParentToChildMessages(this.user);
    await message.waitForStatus();
    return message;
  }

  async statusOf(message) {
    return (await message.waitForStatus()).status;
  }

  /** A universe with a token, whose `transfer` and `approve` it pays for. */
  async universe(slug) {
    const u = await Universe.create(this.owner, slug);
    const { abi, bytecode } = contract("Coin");
    const init = new ethers.ContractFactory(abi, bytecode).getDeployTransaction(this.owner.address).data;
    u.coin = new ethers.Contract(await u.deploy(u.id.toNumber(), init), abi, this.owner);
    await u.sponsor(u.coin.address, u.coin.interface.getSighash("transfer"));
    await u.send("addTargets", u.id, [u.coin.address], [u.coin.interface.getSighash("approve")]);
    u.player = ethers.Wallet.createRandom().connect(this.seq.provider);
    await (await u.coin.mint(u.player.address, 1000)).wait();
    return u;
  }

  async play(u, amount) {
    const data = u.coin.interface.encodeFunctionData("transfer", [this.user.address, amount]);
    const receipt = await play(u.player, u.coin.address, data);
    assert.deepEqual([receipt.status, ethers.utils.getAddress(receipt.gasPayer)], ["0x1", REGISTRY]);
  }
}

/** What happens, each in a batch of its own. */
const STEPS = {
  "a deposit": async (s) => {
    const to = s.w.validator.address, before = await s.seq.provider.getBalance(to);
    await (await s.inbox.connect(s.w.validator)["depositEth()"]({ value: ether("1") })).wait();
    await until("it", async () => (await s.seq.provider.getBalance(to)).eq(before.add(ether("1"))));
  },
  "creations": async (s) => {
    s.gate = (await s.send({ data: GATE_INIT })).contractAddress;
    const failed = await s.user.sendTransaction({ data: "0xfe", gasLimit: 100000 });
    await assert.rejects(failed.wait());
  },
  "a universe that pays": async (s) => {
    s.arena = await s.universe("arena");
    await s.play(s.arena, 1);
  },
  "another universe": async (s) => {
    s.garden = await s.universe("garden");
    for (let i = 0; i < 3; i++) await s.play(s.garden, 2);
  },
  "collections: classes, items, deeds": async (s) => {
    const me = s.owner.address, u = s.garden, reference = (n) => ethers.utils.id(`item ${n}`);
    const made = [];
    for (const [i, name, title] of [[10, "items", "Items"], [11, "erc721", "Deeds"]]) {
      const { abi, code } = template(name, [title, "T", "https://example.org/", me, me]);
      made.push(new ethers.Contract(await u.deploy(i, code), abi, s.owner));
    }
    const [items, deeds] = made;
    for (const c of made) await (await c.defineClass(1, 100, ethers.utils.toUtf8Bytes('{"name":"sword","rarity":"rare"}'))).wait();
    const mint = (c, n, id, amount) => ({ referenceId: reference(`${c.address} ${n}`), to: n % 2 ? u.player.address : me, id, amount });
    await (await items.mintBatch([1, 2, 3].map((n) => mint(items, n, 1, n)))).wait();
    await (await deeds.mintBatch([1, 2, 3].map((n) => mint(deeds, n, (1n << 64n) | BigInt(n), 1)))).wait();
    await assert.rejects((await items.mintBatch([mint(items, 1, 1, 1)], { gasLimit: 500000 })).wait());
    await (await items.safeTransferFrom(me, s.user.address, 1, 1, "0x")).wait();
    await (await deeds.transferFrom(me, s.user.address, (1n << 64n) | 2n)).wait();
  },
  "a delegation": async (s) => {
    const raw = await signSetCode(s.user, { to: s.w.poster.address, delegate: s.gate, chainId: CHAIN_ID, maxFeePerGas: MAX_FEE });
    const hash = await s.seq.rpc("eth_sendRawTransaction", [raw]);
    assert.equal((await s.seq.provider.waitForTransaction(hash)).status, 1);
    assert.equal(await s.seq.provider.getCode(s.user.address), `0xef0100${s.gate.slice(2).toLowerCase()}`);
    const back = await signSetCode(s.user, { to: s.w.poster.address, delegate: ethers.constants.AddressZero, chainId: CHAIN_ID, maxFeePerGas: MAX_FEE });
    await s.seq.provider.waitForTransaction(await s.seq.rpc("eth_sendRawTransaction", [back]));
  },
  "a ticket that redeems itself": async (s) => {
    const m = await s.ticket(ethers.Wallet.createRandom().address, 50000);
    assert.equal(await s.statusOf(m), ParentToChildMessageStatus.REDEEMED);
  },
  "a ticket that fails and is redeemed by hand": async (s) => {
    const m = await s.ticket(s.gate, 100000);
    assert.equal(await s.statusOf(m), ParentToChildMessageStatus.FUNDS_DEPOSITED_ON_CHILD);
    await s.send({ to: s.gate, data: "0x01" });
    assert.equal((await (await m.redeem()).waitForRedeem()).status, 1);
    assert.equal(await s.statusOf(m), ParentToChildMessageStatus.REDEEMED);
  },
  "tickets that are left alone, kept alive, cancelled": async (s) => {
    const lifeless = () => s.ticket(s.user.address, 0);
    s.forgotten = await lifeless();
    await (await (await lifeless()).keepAlive({})).wait();
    assert.equal((await (await (await lifeless()).cancel({})).wait()).status, 1);
  },
  "a ticket that creates": async (s) => {
    assert.equal(await s.statusOf(await s.ticket(ethers.constants.AddressZero, 200000, GATE_INIT)), ParentToChildMessageStatus.REDEEMED);
  },
  "transactions of the parent's senders": async (s) => {
    const alias = aliasOf(s.user.address), nonce = await s.seq.provider.getTransactionCount(alias);
    const to = ethers.Wallet.createRandom().address;
    await s.send({ to: alias, value: ether("0.5") });
    await (await s.inbox.sendUnsignedTransaction(50000, MAX_FEE, nonce, to, 11, "0x")).wait();
    await (await s.inbox.sendContractTransaction(50000, MAX_FEE, to, 13, "0x")).wait();
    await (await s.inbox.sendL1FundedUnsignedTransaction(50000, MAX_FEE, nonce + 2, to, "0x", { value: 17 })).wait();
    await (await s.inbox.sendL1FundedContractTransaction(50000, MAX_FEE, to, "0x", { value: 19 })).wait();
    await until("all four", async () => (await s.seq.provider.getBalance(to)).eq(11 + 13 + 17 + 19));
  },
  "a universe that pays for one of them, and for a signed one": async (s) => {
    const alias = aliasOf(s.user.address), { coin, player } = s.arena;
    const approve = (n) => coin.interface.encodeFunctionData("approve", [s.owner.address, n]);
    await (await s.inbox.sendContractTransaction(100000, 0, coin.address, 0, approve(21))).wait();
    await until("it", async () => (await coin.allowance(alias, s.owner.address)).eq(21));
    const tx = { chainId: CHAIN_ID, type: 2, nonce: await player.getTransactionCount(), to: coin.address, data: approve(22), gasLimit: 100000, maxFeePerGas: 0, maxPriorityFeePerGas: 0 };
    await (await s.inbox.sendL2Message(`0x04${(await player.signTransaction(tx)).slice(2)}`)).wait();
    await until("it", async () => (await coin.allowance(player.address, s.owner.address)).eq(22));
  },
  "a paused universe": async (s) => {
    const { arena, garden } = s, { coin } = arena;
    await arena.send("setPaused", arena.id, true);
    await assert.rejects(s.play(arena, 1), /universe paused/);
    // Through the parent nobody can refuse it: it is in no block.
    await (await s.inbox.sendContractTransaction(100000, MAX_FEE, coin.address, 0, coin.interface.encodeFunctionData("approve", [s.owner.address, 33]))).wait();
    await s.play(garden, 3);
    s.pausedAt = Number((await s.seq.head()).number);
  },
  "it goes on": async (s) => {
    const { arena } = s;
    await s.play(s.garden, 1);
    await arena.send("setPaused", arena.id, false);
    await s.play(arena, 5);
    assert.ok((await arena.coin.allowance(aliasOf(s.user.address), s.owner.address)).eq(21));
  },
  "withdrawals and messages to the parent": async (s) => {
    for (let i = 1; i <= 3; i++) await s.send({ to: ARB_SYS, value: i, data: arbSys.encodeFunctionData("withdrawEth", [s.user.address]) });
    await s.send({ to: ARB_SYS, data: arbSys.encodeFunctionData("sendTxToL1", [s.w.owner.address, "0x1234"]) });
  },
  "an offered deployer": async (s) => {
    const { garden } = s;
    const studio = ethers.Wallet.createRandom().connect(s.seq.provider);
    await s.send({ to: studio.address, value: ether("1") });
    await garden.send("offerDeployer", garden.id, studio.address, true);
    await (await garden.registry.connect(studio).acceptDeployer(garden.id)).wait();
    const { contractAddress } = await (await studio.sendTransaction({ data: GATE_INIT })).wait();
    assert.ok((await garden.registry.universeOf(contractAddress)).eq(garden.id));
  },
};

/** Names of the derived tables; those by which a node goes back are for a window of its own, and in no digest. */
function derivedTables() {
  const text = readFileSync(new URL("../../state/tables.def", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^TABLE\(\w+,\s*"(\w+)",.*\b(DERIVED|LOCAL),\s*\w+\)$/gm)];
  const own = ["csa", "css", "hia", "his", "undo"];
  return rows.filter(([, name, kind]) => kind === "DERIVED" && !own.includes(name)).map(([, name]) => name);
}

/** What `db digest` prints for a stopped node's folder at a block. */
function digestOf(dir, block) {
  const { status, stdout, stderr } = spawnSync(BINARY, ["db", "digest", "--datadir", dir, "--block", block], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stdout;
}

export async function run() {
  const w = await check("the contracts are on the parent", () => World.start());
  if (!w) return;
  const seq = await check("a sequencer starts", () => w.sequencer(["--tier", "fast"]));
  if (!seq) return;
  const s = await check("two accounts have something", () => Story.start(w, seq));
  if (!s) return;
  for (const [name, step] of Object.entries(STEPS))
    await check(name, () => s.batch(async () => {
      await step(s);
      await s.burst();
    }));
  await check("a ticket that nobody redeems expires", async () => {
    await w.parent.rpc("evm_increaseTime", [TICKET_LIFE_S + 3600]);
    await w.parent.mine();
    const data = tickets.encodeFunctionData("getTimeout", [s.forgotten.retryableCreationId]);
    await s.batch(() => until("the end of the ticket", async () => {
      await s.burst();
      return (await seq.call("eth_call", [{ to: RETRYABLE, data }, "latest"])).error?.data === "0x80698456"; // NoTicketWithID()
    }));
    assert.equal((await seq.provider.getTransactionReceipt(s.forgotten.retryableCreationId)).status, 1);
  });
  await check(`bursts until there are ${BATCHES} batches`, async () => {
    while ((await s.batches()) <= BATCHES) await s.batch(async () => {
      await s.burst();
      await s.play(s.garden, 1);
    });
  });

  const validator = await check("an empty validator, the other tier, the plainest code", async () => {
    const v = await w.newValidator(["--tier", "reference", "--recover", "libsecp256k1"], "validator", { env: { CALLIPTER_CPU: "portable" } });
    assert.match(v.err, /keccak=portable,portable recover=libsecp256k1/);
    return v;
  });
  if (!validator) return;
  const blocks = [], ends = new Map();
  await check("it has the same block at the end of every batch, and everywhere between", async () => {
    const { blockNumber } = await s.transfer(0, s.w.poster.address, 1);
    for (const node of [seq, validator]) await until("the last batch", async () => (await node.batchOf(blockNumber)) !== undefined);
    const count = await s.batches();
    for (let n = 0; n <= blockNumber; n++) {
      const [a, b] = await Promise.all([seq, validator].map((node) => node.rpc("eth_getBlockByNumber", [hexValue(n), true])));
      assert.deepEqual(b, a, `block ${n}`);
      blocks.push(a);
      const batch = await seq.batchOf(n);
      assert.equal(await validator.batchOf(n), batch, `block ${n}`);
      ends.set(batch, n);
    }
    assert.deepEqual([...ends.keys()], [...Array(count).keys()]);
    assert.ok(count > BATCHES);
    console.log(`     batches end with blocks ${[...ends.values()].join(" ")}`);
  });
  await check("the same receipts, logs, traces of the last block, and values in state", async () => {
    for (const b of blocks) {
      const [a, c] = await Promise.all([seq, validator].map((node) => node.rpc("eth_getBlockReceipts", [b.number])));
      assert.deepEqual(c, a, `block ${Number(b.number)}`);
      b.receipts = a;
    }
    const last = blocks.at(-1).number;
    const people = [s.user, s.owner, s.arena.player, s.garden.player, s.w.validator].map((x) => x.address);
    const ask = async (method, params) => {
      const [a, c] = await Promise.all([seq, validator].map((node) => node.rpc(method, params)));
      assert.deepEqual(c, a, method);
      return a;
    };
    const logs = await ask("eth_getLogs", [{ fromBlock: "0x0", toBlock: last, address: [s.arena.coin.address, s.garden.coin.address, REGISTRY, factoryAddress] }]);
    assert.ok(logs.length > 20);
    for (const a of [...people, s.gate, s.arena.coin.address, s.garden.coin.address, REGISTRY, ARB_SYS, RETRYABLE])
      await ask("eth_getProof", [a, [ethers.constants.HashZero, hexValue(2)], last]);
    await ask("debug_traceBlockByNumber", [last, { tracer: "callTracer" }]);
  });
  await check("the same digest of every derived table, at the end of every batch", async () => {
    const names = derivedTables(), seen = new Set();
    assert.ok(names.length > 15);
    for (const n of ends.values()) {
      const [a, c] = await Promise.all([seq, validator].map((node) => node.rpc("debug_tableDigests", [hexValue(n)])));
      assert.deepEqual(c, a, `block ${n}`);
      assert.deepEqual([Number(a.number), Object.keys(a.tables).sort()], [n, names.sort()]);
      seen.add(a.all);
    }
    assert.equal(seen.size, ends.size);
    const [none, full] = await Promise.all([0, blocks.length - 1].map((n) => seq.rpc("debug_tableDigests", [hexValue(n)])));
    for (const t of names) assert.notEqual(full.tables[t], none.tables[t], `table ${t} never changed`);
  });
  await check("the same values in the state of every batch", async () => {
    const places = [s.user, s.owner, s.arena.player, s.garden.player].map((x) => x.address).concat(s.gate, s.arena.coin.address, REGISTRY, ARB_SYS, RETRYABLE);
    for (const n of ends.values())
      for (const place of places)
        for (const [method, ...more] of [["eth_getBalance"], ["eth_getTransactionCount"], ["eth_getStorageAt", "0x0"], ["eth_getStorageAt", "0x2"]]) {
          const [a, c] = await Promise.all([seq, validator].map((node) => node.rpc(method, [place, ...more, hexValue(n)])));
          assert.equal(c, a, `${method} of ${place} at ${n}`);
        }
  });
  await check("all of it was in there", () => {
    const txs = blocks.flatMap((b) => b.transactions.map((t, i) => ({ ...t, receipt: b.receipts[i], block: Number(b.number) })));
    const types = new Set(txs.map((t) => Number(t.type)));
    for (const t of [0, 1, 2, 4, 0x64, 0x65, 0x66, 0x68, 0x69, 0x6a]) assert.ok(types.has(t), `type 0x${t.toString(16)}`);
    const some = (what, fn) => assert.ok(txs.some(fn), what);
    some("a failed transaction", (t) => t.receipt.status === "0x0" && Number(t.type) < 5);
    some("a failed retry", (t) => t.receipt.status === "0x0" && Number(t.type) === 0x68);
    for (const type of [2, 0x66]) some(`a universe paying for type ${type}`, (t) => Number(t.type) === type && t.gasPayer === REGISTRY.toLowerCase());
    some("a creation that belongs to a universe", (t) => t.to === null && t.universe === hexValue(s.garden.id));
    const perSecond = new Map();
    for (const b of blocks) perSecond.set(b.timestamp, (perSecond.get(b.timestamp) ?? 0) + 1);
    assert.ok(Math.max(...perSecond.values()) >= 3, "several blocks in a second");
    assert.equal(blocks.at(-1).sendCount, "0x4");
    assert.ok(s.pausedAt > 0 && new Set(blocks.map((b) => keccak256(b.stateRoot))).size > BATCHES);
    console.log(`     ${blocks.length} blocks, ${txs.length} transactions, up to ${Math.max(...perSecond.values())} blocks in a second`);
  });
  await check("all stop; what they leave in their folders has one digest", async () => {
    assert.equal((await validator.stop()).code, 0);
    assert.equal((await seq.stop()).code, 0);
    const last = String(blocks.length - 1);
    const [a, b] = ["sequencer", "validator"].map((name) => digestOf(w.folder(name), last));
    assert.equal(b, a);
  });
}
