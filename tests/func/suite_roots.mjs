// Every block of mixed random traffic, recomputed from the RPC's answers by @ethereumjs: block hash, size, transactions and receipts roots,
// blooms, senders, and proofs of accounts and slots, present and absent.
//   SEED= of the traffic (default 1), BLOCKS= how many (100)
import { createBlockHeaderFromRPC } from "@ethereumjs/block";
import { Common, Hardfork, Mainnet, createCustomCommon } from "@ethereumjs/common";
import { createMPT, verifyMerkleProof } from "@ethereumjs/mpt";
import { RLP } from "@ethereumjs/rlp";
import { createTxFromRPC } from "@ethereumjs/tx";
import { bytesToHex, equalsBytes, hexToBytes } from "@ethereumjs/util";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { Node, devAccounts } from "./lib/node.mjs";
import { SLOTS } from "./lib/program.mjs";
import { Random } from "./lib/random.mjs";
import { assert, check, counts } from "./lib/suite.mjs";
import { Traffic } from "./lib/traffic.mjs";

const SEED = Number(process.env.SEED ?? 1);
const BLOCKS = Number(process.env.BLOCKS ?? 100);
const AT_ONCE = 4; // transactions sent together: blocks of several
const KNOWN_REFUSALS = /nonce too low|insufficient funds/; // a sender's own code may create contracts or send all away between
const hashed = (hex) => bytesToHex(keccak_256(hexToBytes(hex)));
const quantity = (n) => "0x" + BigInt(n).toString(16);
const word = (n) => "0x" + BigInt(n).toString(16).padStart(64, "0");
/** An integer as RLP has it. */
const integer = (hex) => (BigInt(hex) === 0n ? "0x" : BigInt(hex));

/** Sends groups of transactions of different senders until the chain has enough blocks. */
async function fill(node) {
  const keys = devAccounts(node).map((a) => a.key);
  const chain = {
    chainId: node.chainId,
    price: BigInt(await node.rpc("eth_gasPrice")),
    nonceOf: async (a) => Number(await node.rpc("eth_getTransactionCount", [a, "latest"])),
    balanceOf: async (a) => BigInt(await node.rpc("eth_getBalance", [a, "latest"])),
  };
  const traffic = new Traffic(SEED, chain, keys);
  const refused = [];
  let sent = 0;
  while (Number(await node.rpc("eth_blockNumber")) < BLOCKS) {
    const group = new Map();
    for (let i = traffic.r.between(1, AT_ONCE); i > 0; i--) {
      const t = await traffic.next();
      if (!group.has(t.sender.address)) group.set(t.sender.address, t.raw);
    }
    const answers = await Promise.all([...group.values()].map((raw) => node.call("eth_sendRawTransactionSync", [raw])));
    for (const a of answers) {
      if (a.error) refused.push(a.error.message);
      else traffic.learn(a.result);
      sent += a.error ? 0 : 1;
    }
  }
  const odd = refused.filter((m) => !KNOWN_REFUSALS.test(m));
  assert.deepEqual(odd, []);
  return { traffic, sent };
}

async function rootOf(values) {
  const trie = await createMPT();
  for (let i = 0; i < values.length; i++) await trie.put(RLP.encode(i), values[i]);
  return bytesToHex(trie.root());
}

/** The bloom filter of logs (Yellow Paper 4.3.1), as 256 bytes. */
function bloomOf(logs) {
  const bloom = new Uint8Array(256);
  for (const item of logs.flatMap((l) => [l.address, ...l.topics])) {
    const h = keccak_256(hexToBytes(item));
    for (const at of [0, 2, 4]) {
      const bit = ((h[at] << 8) | h[at + 1]) & 2047;
      bloom[255 - (bit >> 3)] |= 1 << (bit & 7);
    }
  }
  return bloom;
}

/** A receipt's bytes in the trie (EIP-2718, EIP-658). */
function encodeReceipt(r) {
  const bloom = bloomOf(r.logs);
  assert.equal(bytesToHex(bloom), r.logsBloom);
  const logs = r.logs.map((l) => [l.address, l.topics, l.data]);
  const body = RLP.encode([integer(r.status), integer(r.cumulativeGasUsed), bloom, logs]);
  return Number(r.type) === 0 ? body : Uint8Array.of(Number(r.type), ...body);
}

/** One transaction of a block against its receipt: its own bytes, hash, sender, price, gas. */
async function checkTransaction(json, receipt, header, before, common) {
  const tx = await createTxFromRPC(json, { common });
  assert.equal(bytesToHex(tx.hash()), json.hash);
  assert.equal(tx.getSenderAddress().toString(), json.from);
  assert.equal(receipt.transactionHash, json.hash);
  assert.equal(BigInt(receipt.cumulativeGasUsed), BigInt(before) + BigInt(receipt.gasUsed));
  assert.equal(receipt.effectiveGasPrice, header.baseFeePerGas); // tips are ignored
  if (!json.to && receipt.status === "0x1") {
    const created = keccak_256(RLP.encode([json.from, integer(json.nonce)])).slice(12);
    assert.equal(receipt.contractAddress, bytesToHex(created));
  }
  return tx;
}

async function checkBlock(node, number, parent, commons) {
  const id = quantity(number);
  const [block, receipts] = await Promise.all([node.rpc("eth_getBlockByNumber", [id, true]), node.rpc("eth_getBlockReceipts", [id])]);
  const header = createBlockHeaderFromRPC(block, { common: commons.header });
  assert.equal(bytesToHex(header.hash()), block.hash, "block hash");
  assert.equal(block.parentHash, parent.hash);
  assert.equal(receipts.length, block.transactions.length);
  const txs = [];
  let gas = 0n;
  for (let i = 0; i < receipts.length; i++) {
    txs.push(await checkTransaction(block.transactions[i], receipts[i], block, gas, commons.tx));
    gas = BigInt(receipts[i].cumulativeGasUsed);
    receipts[i].logs.forEach((l) => assert.equal(l.blockHash, block.hash));
  }
  assert.equal(BigInt(block.gasUsed), gas);
  assert.equal(await rootOf(txs.map((t) => t.serialize())), block.transactionsRoot, "transactions root");
  assert.equal(await rootOf(receipts.map(encodeReceipt)), block.receiptsRoot, "receipts root");
  assert.equal(bytesToHex(bloomOf(receipts.flatMap((r) => r.logs))), block.logsBloom);
  const body = txs.map((t) => (t.type === 0 ? t.raw() : t.serialize()));
  assert.equal(Number(block.size), RLP.encode([header.raw(), body, []]).length, "size");
  return { block, receipts };
}

/** The value that a proof gives to a key under a root, or null. */
async function proven(root, key, nodes) {
  if (nodes.length === 0) {
    assert.equal(root, bytesToHex(keccak_256(RLP.encode(""))));
    return null;
  }
  const list = nodes.map(hexToBytes);
  assert.ok(equalsBytes(keccak_256(list[0]), hexToBytes(root)), "the first node is not the root");
  return verifyMerkleProof(keccak_256(hexToBytes(key)), list);
}

/** An account and some of its slots at a block: proof, verified, against the plain reads. */
async function checkProof(node, block, address, slots, tally) {
  const at = block.number;
  const keys = slots.map(word);
  const [p, balance, nonce, code, ...values] = await Promise.all([
    node.rpc("eth_getProof", [address, keys, at]),
    node.rpc("eth_getBalance", [address, at]),
    node.rpc("eth_getTransactionCount", [address, at]),
    node.rpc("eth_getCode", [address, at]),
    ...keys.map((k) => node.rpc("eth_getStorageAt", [address, k, at])),
  ]);
  assert.deepEqual([p.balance, p.nonce, p.codeHash], [balance, nonce, hashed(code)], `${address} at ${at}`);
  const value = await proven(block.stateRoot, address, p.accountProof);
  if (value) {
    const expected = RLP.encode([integer(p.nonce), integer(p.balance), p.storageHash, p.codeHash]);
    assert.equal(bytesToHex(value), bytesToHex(expected), `${address} at ${at}`);
    tally.accounts++;
  } else {
    assert.deepEqual([balance, nonce, code], ["0x0", "0x0", "0x"]);
    tally.absent++;
  }
  for (let i = 0; i < keys.length; i++) {
    const slot = await proven(p.storageHash, keys[i], p.storageProof[i].proof);
    const proved = slot ? BigInt(bytesToHex(RLP.decode(slot))) : 0n;
    assert.equal(proved, BigInt(p.storageProof[i].value));
    assert.equal(proved, BigInt(values[i]), `slot ${keys[i]} of ${address} at ${at}`);
    tally[slot ? "slots" : "empty"]++;
  }
}

export async function run() {
  const node = await Node.start();
  const common = new Common({ chain: Mainnet, hardfork: Hardfork.London });
  const commons = { header: common, tx: createCustomCommon({ chainId: node.chainId }, Mainnet, { hardfork: Hardfork.Prague }) };
  const made = await check(`roots: random traffic of seed ${SEED}, ${BLOCKS} blocks`, () => fill(node));
  if (!made) return void (await node.stop());
  const r = new Random(SEED + 1);
  const touched = [...made.traffic.touched];
  const tally = { transactions: 0, types: {}, several: 0, accounts: 0, absent: 0, slots: 0, empty: 0 };
  let parent = await node.rpc("eth_getBlockByNumber", ["0x0", false]);
  let number = 1;
  await check(`roots: ${BLOCKS} blocks and their proofs recomputed`, async () => {
    try {
      for (; number <= BLOCKS; number++) {
        const { block, receipts } = await checkBlock(node, number, parent, commons);
        for (const t of receipts) tally.types[Number(t.type)] = (tally.types[Number(t.type)] ?? 0) + 1;
        tally.transactions += receipts.length;
        if (receipts.length > 1) tally.several++;
        const stored = [...Array(SLOTS).keys()];
        await checkProof(node, block, r.pick(made.traffic.pool), [...stored, r.u32()], tally);
        const who = [receipts[0].from, receipts[0].contractAddress ?? receipts[0].to, r.pick(touched), "0x" + r.hex(20)];
        for (const a of who) await checkProof(node, block, a.toLowerCase(), [r.below(SLOTS), r.u32()], tally);
        parent = block;
        counts.passed++;
      }
    } catch (e) {
      throw new Error(`block ${number} (SEED=${SEED} BLOCKS=${BLOCKS}): ${e.stack}`);
    }
  });
  console.log(`     ${JSON.stringify(tally)}`);
  await check("roots: all kinds of blocks and proofs occurred", () => {
    for (const n of [tally.several, tally.accounts, tally.absent, tally.slots, tally.empty]) assert.ok(n > 0);
    for (const type of [0, 1, 2, 4]) assert.ok(tally.types[type] > 0, `no transaction of type ${type}`);
  });
  await node.stop();
}
