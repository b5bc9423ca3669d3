// The same signed transactions on every way in - the plain URL, the URLs of two universes, the delayed inbox - on copies of one state
// and with equal stamps: each has one outcome. The parent stands an hour ahead of the clock, so that its newest block gives the stamps of
// sequenced blocks too.
import { ethers } from "ethers";
import { contract } from "../func/lib/compile.mjs";
import { assert, check } from "../func/lib/suite.mjs";
import { inboxAbi } from "./lib/contracts.mjs";
import { signSetCode } from "./lib/setcode.mjs";
import { REGISTRY, Universe } from "./lib/universe.mjs";
import { CHAIN_ID, L3Node, until, World } from "./lib/world.mjs";

const ether = ethers.utils.parseEther;
const { hexValue, hexZeroPad } = ethers.utils;
const MAX_FEE = ethers.utils.parseUnits("10", "gwei");
const AHEAD_S = 7200; // the toll is in force by then
const INBOX_GAS = 500000;
/** Stores COINBASE, TIMESTAMP, GASPRICE, BASEFEE, NUMBER, ORIGIN in slots 0 to 5. */
const WITNESS = "415f55426001553a600255486003554360045532600555" + "00";
const WITNESS_INIT = `0x60${(WITNESS.length / 2).toString(16)}600a5f3960${(WITNESS.length / 2).toString(16)}5ff3${WITNESS}`;
const TOLL = { speedLimit: 1000000, tolerance: 10, inertia: 100, unit: 1000, base: 12345678, max: 100000000 };

/** A universe with a token that it pays for when called by `method`. */
async function universe(owner, slug, method) {
  const u = await Universe.create(owner, slug);
  const { abi, bytecode } = contract("Coin");
  const init = new ethers.ContractFactory(abi, bytecode).getDeployTransaction(owner.address).data;
  u.coin = new ethers.Contract(await u.deploy(1, init), abi, owner);
  u.witness = await u.deploy(2, WITNESS_INIT);
  await u.sponsor(u.coin.address, u.coin.interface.getSighash(method));
  return u;
}

export async function run() {
  const w = await check("the contracts are on the parent", () => World.start());
  if (!w) return;
  const players = [0, 1, 2].map(() => ethers.Wallet.createRandom());
  const [rich, poor, other] = players;
  let arena, garden, height;
  const ready = await check("a state with two universes, one of which takes a toll", async () => {
    const seq = await w.sequencer();
    const inbox = new ethers.Contract(w.at.inbox, inboxAbi, w.owner);
    await (await inbox["depositEth()"]({ value: ether("20") })).wait();
    await until("the deposit", async () => (await seq.provider.getBalance(w.owner.address)).gt(0));
    const owner = w.owner.connect(seq.provider);
    arena = await universe(owner, "arena", "transfer(address,uint256)");
    garden = await universe(owner, "garden", "approve");
    await garden.send("scheduleSurcharge", garden.id, TOLL, 3600);
    for (const p of players) await (await arena.coin.mint(p.address, 1000)).wait();
    for (const p of [rich, other]) await (await owner.sendTransaction({ to: p.address, value: ether("1") })).wait();
    await seq.stopPosted();
    height = (await w.parent.provider.getBlock("latest")).number;
    return true;
  });
  if (!ready) return;

  /** In an order that the nonces allow: {name, raw, sender} and what is expected. */
  const txs = await check("transactions of every kind are signed", async () => {
    const nonces = new Map(players.map((p) => [p, 0]));
    const sign = (p, tx) => {
      const nonce = nonces.get(p);
      nonces.set(p, nonce + 1);
      const fees = (tx.type ?? 2) === 2 ? { maxFeePerGas: MAX_FEE, maxPriorityFeePerGas: 0 } : { gasPrice: MAX_FEE };
      return p.signTransaction({ type: 2, chainId: CHAIN_ID, nonce, gasLimit: 200000, ...fees, ...tx });
    };
    const free = { maxFeePerGas: 0, maxPriorityFeePerGas: 0 };
    const call = (u, method, ...args) => ({ to: u.coin.address, data: u.coin.interface.encodeFunctionData(method, args) });
    const list = { accessList: [{ address: arena.coin.address, storageKeys: [ethers.constants.HashZero] }] };
    const own = { payer: null }, paid = { payer: REGISTRY };
    const out = [];
    const add = async (name, p, tx, expected) => out.push({ name, raw: await sign(p, tx), sender: p.address, status: 1, ...expected });
    await add("a universe pays for who has nothing", poor, { ...call(arena, "transfer", rich.address, 1), ...free }, { ...paid, universe: 1 });
    await add("a universe pays for who could pay", rich, call(arena, "transfer", poor.address, 2), { ...paid, universe: 1 });
    await add("a call that is no target", rich, call(arena, "approve", poor.address, 3), { ...own, universe: 1 });
    await add("a toll", rich, call(garden, "transfer", poor.address, 0), { ...own, universe: 2, toll: true });
    await add("no toll where the universe pays", poor, { ...call(garden, "approve", rich.address, 4), ...free }, { ...paid, universe: 2 });
    await add("a sponsored call that fails", poor, { ...call(arena, "transfer", rich.address, 10 ** 6), ...free }, { ...paid, universe: 1, status: 0 });
    await add("a call that fails", rich, call(arena, "fail", "no"), { ...own, universe: 1, status: 0 });
    await add("what the code sees", rich, { to: arena.witness, type: 0 }, { ...own, universe: 1 });
    await add("what the code sees with a toll", rich, { to: garden.witness }, { ...own, universe: 2, toll: true });
    await add("a transfer", other, { to: poor.address, value: 5, type: 0 }, own);
    await add("an access list", other, { ...call(arena, "transfer", poor.address, 0), type: 1, ...list }, { ...own, universe: 1 });
    await add("a creation", other, { data: WITNESS_INIT }, own);
    const nonce = nonces.get(other);
    const ask = { getTransactionCount: () => nonce, _signingKey: () => other._signingKey() };
    out.push({ name: "a delegation", sender: other.address, status: 1, ...own,
      raw: await signSetCode(ask, { to: poor.address, delegate: arena.witness, chainId: CHAIN_ID, maxFeePerGas: MAX_FEE }) });
    return out;
  });
  if (!txs) return;

  const at = (await w.parent.provider.getBlock(height)).timestamp + AHEAD_S;
  let snapshot = await w.parent.rpc("evm_snapshot");
  /** Goes back to the common state; the parent's next block, with what `fill` puts into it, has the common stamps. */
  const nextBlock = async (fill = async () => {}) => {
    await w.parent.rpc("evm_revert", [snapshot]);
    snapshot = await w.parent.rpc("evm_snapshot");
    await w.parent.rpc("evm_setAutomine", [false]);
    await fill();
    await w.parent.rpc("evm_setNextBlockTimestamp", [at]);
    await w.parent.rpc("evm_mine");
    await w.parent.rpc("evm_setAutomine", [true]);
    const block = await w.parent.rpc("eth_getBlockByNumber", ["latest", false]);
    assert.deepEqual([Number(block.number), Number(block.timestamp)], [height + 1, at]);
  };
  /** A copy of the state that posts nothing. */
  const copy = (name, how) => {
    w.copyFolder("sequencer", name);
    const args = [...w.common(name), "--delayed-finality", "latest"];
    return L3Node.start(args, how);
  };
  const hashOf = (tx) => ethers.utils.keccak256(tx.raw);

  /** What each transaction did, and what is left of it all. */
  const outcome = async (node) => {
    const results = [];
    for (const tx of txs) {
      const hash = hashOf(tx);
      const r = await until(tx.name, () => node.rpc("eth_getTransactionReceipt", [hash]));
      const block = await node.rpc("eth_getBlockByNumber", [r.blockNumber, false]);
      const diff = await node.rpc("debug_traceTransaction", [hash, { tracer: "prestateTracer", tracerConfig: { diffMode: true } }]);
      results.push({ receipt: r, block, diff });
    }
    const last = results.at(-1).receipt.blockNumber;
    const accounts = [...players.map((p) => p.address), arena.coin.address, garden.coin.address, REGISTRY];
    const proofs = [];
    for (const a of accounts) {
      const { balance, nonce, storageHash, codeHash } = await node.rpc("eth_getProof", [a, [], last]);
      proofs.push({ a, balance, nonce, storageHash, codeHash });
    }
    return { results, proofs };
  };
  const sequenced = async (name, where, how = {}) => {
    await nextBlock();
    const node = await copy(name, how);
    for (const tx of txs) {
      const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_sendRawTransaction", params: [tx.raw] });
      const reply = await fetch(`${node.url}${where}`, { method: "POST", headers: { "content-type": "application/json" }, body });
      const { error } = await reply.json();
      assert.equal(error, undefined, `${tx.name}: ${error?.message}`);
      await until(tx.name, () => node.rpc("eth_getTransactionReceipt", [hashOf(tx)]));
    }
    const out = await outcome(node);
    assert.equal((await node.stop()).code, 0);
    return out;
  };
  const delayed = async () => {
    await nextBlock(async () => {
      const abi = new ethers.utils.Interface(inboxAbi);
      let nonce = Number(await w.parent.rpc("eth_getTransactionCount", [w.user.address, "latest"]));
      for (const tx of txs) {
        const data = abi.encodeFunctionData("sendL2Message", [`0x04${tx.raw.slice(2)}`]);
        const fees = { gasLimit: INBOX_GAS, maxFeePerGas: MAX_FEE, maxPriorityFeePerGas: 1 };
        await w.parent.rpc("eth_sendRawTransaction", [await w.user.signTransaction({ type: 2, chainId: w.parent.chainId, nonce: nonce++, to: w.at.inbox, data, ...fees })]);
      }
    });
    const node = await copy("delayed");
    const out = await outcome(node);
    assert.equal((await node.stop()).code, 0);
    return out;
  };

  const plain = await check("the plain URL", async () => {
    const out = await sequenced("plain", "/");
    out.results.forEach(({ receipt: r, block }, i) => {
      const tx = txs[i], price = BigInt(block.baseFeePerGas), charged = BigInt(r.gasPriceCharged);
      assert.equal(Number(r.status), tx.status, tx.name);
      assert.equal(ethers.utils.getAddress(r.gasPayer), tx.payer ?? tx.sender, tx.name);
      assert.equal(r.universe, tx.universe === undefined ? null : hexValue(tx.universe), tx.name);
      assert.equal(charged - price, tx.toll ? charged - price : 0n, tx.name);
      assert.equal(charged - price >= BigInt(TOLL.base), tx.toll === true, tx.name);
    });
    return out;
  });
  if (!plain) return;

  /** Changes of state without what COINBASE gave. */
  const witnessed = (diff) => {
    for (const u of [arena, garden])
      for (const half of [diff.pre, diff.post]) delete half[u.witness.toLowerCase()]?.storage?.[hexZeroPad("0x0", 32)];
    return diff;
  };
  const same = (out, isDelayed) => {
    for (const [i, tx] of txs.entries()) {
      const a = plain.results[i], b = out.results[i];
      assert.deepEqual([b.block.timestamp, b.block.l1BlockNumber, b.block.number, Number(b.block.timestamp)],
        [a.block.timestamp, a.block.l1BlockNumber, a.block.number, at], `${tx.name}: stamps`);
      assert.equal(b.block.baseFeePerGas, a.block.baseFeePerGas, `${tx.name}: P`);
      const { blockHash, logs, ...rest } = b.receipt;
      const { blockHash: hash, logs: entries, ...expected } = a.receipt;
      assert.deepEqual(rest, expected, tx.name);
      const bare = (list) => list.map(({ blockHash: _, ...l }) => l);
      assert.deepEqual(bare(logs), bare(entries), `${tx.name}: logs`);
      const strip = isDelayed ? witnessed : (d) => d;
      assert.deepEqual(strip(structuredClone(b.diff)), strip(structuredClone(a.diff)), `${tx.name}: post-state`);
    }
    assert.deepEqual(out.proofs, plain.proofs);
  };
  for (const slug of ["arena", "garden"])
    await check(`the URL of ${slug}: the same blocks`, async () => {
      const out = await sequenced(slug, `/u/${slug}`);
      same(out, false);
      assert.equal(out.results.at(-1).block.hash, plain.results.at(-1).block.hash);
    });
  await check("a node with another payer rule is found out by this comparison", async () => {
    const env = { LIE: "sender", LIE_FOR: rich.address };
    const out = await sequenced("liar", "/", { binary: process.env.LIAR, env });
    assert.throws(() => same(out, false), /a universe pays for who could pay/);
  });
  await check("the delayed inbox: the same outcomes, but for COINBASE", async () => {
    const out = await delayed();
    same(out, true);
    const [a, b] = [plain, out].map((o) => o.results[txs.findIndex((t) => t.name === "what the code sees")]);
    assert.notEqual(b.block.miner, a.block.miner);
    for (const { diff, block } of [a, b])
      assert.equal(diff.post[arena.witness.toLowerCase()].storage[hexZeroPad("0x0", 32)], hexZeroPad(block.miner, 32));
  });
}
