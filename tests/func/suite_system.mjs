// The system addresses as clients see them: messages to the parent with proofs that fold to the header's send root, NodeInterface,
// prices, owners, tickets that are not there.
import { concat, createPublicClient, createWalletClient, decodeFunctionResult, encodeFunctionData, encodePacked } from "viem";
import { http, keccak256, parseAbi, parseEventLogs } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { chainOf } from "./lib/viem.mjs";

const at = (low) => `0x${low.toString(16).padStart(40, "0")}`;
const ARBSYS = at(0x64), GAS_INFO = at(0x6c), RETRYABLE = at(0x6e), OWNER = at(0x70), NODE = at(0xc8);
const abi = parseAbi([
  "function withdrawEth(address) payable returns (uint256)",
  "function sendTxToL1(address, bytes) payable returns (uint256)",
  "function arbOSVersion() view returns (uint256)",
  "function arbBlockNumber() view returns (uint256)",
  "function isTopLevelCall() view returns (bool)",
  "function sendMerkleTreeState() view returns (uint256 size, bytes32 root, bytes32[] partials)",
  "event L2ToL1Tx(address caller, address indexed destination, uint256 indexed hash, uint256 indexed position, uint256 arbBlockNum, uint256 ethBlockNum, uint256 timestamp, uint256 callvalue, bytes data)",
  "function constructOutboxProof(uint64 size, uint64 leaf) view returns (bytes32 send, bytes32 root, bytes32[] proof)",
  "function findBatchContainingBlock(uint64) view returns (uint64)",
  "function getL1Confirmations(bytes32) view returns (uint64)",
  "function gasEstimateComponents(address to, bool contractCreation, bytes data) payable returns (uint64 gasEstimate, uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate)",
  "function gasEstimateL1Component(address to, bool contractCreation, bytes data) payable returns (uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate)",
  "function blockL1Num(uint64) view returns (uint64)",
  "function l2BlockRangeForL1(uint64) view returns (uint64 firstBlock, uint64 lastBlock)",
  "function nitroGenesisBlock() view returns (uint256)",
  "function legacyLookupMessageBatchProof(uint256, uint64) view returns (bytes32[])",
  "function estimateRetryableTicket(address sender, uint256 deposit, address to, uint256 l2CallValue, address excessFeeRefundAddress, address callValueRefundAddress, bytes data)",
  "function getMinimumGasPrice() view returns (uint256)",
  "function getPricesInWei() view returns (uint256, uint256, uint256, uint256, uint256, uint256)",
  "function setMinimumL2BaseFee(uint256)",
  "event OwnerActs(bytes4 indexed method, address indexed owner, bytes data)",
  "function getTimeout(bytes32) view returns (uint256)",
  "function redeem(bytes32) returns (bytes32)",
  "function submitRetryable(bytes32, uint256, uint256, uint256, uint256, uint64, uint256, address, address, address, bytes)",
]);

function clients(node) {
  const chain = chainOf(node);
  const [owner, other] = devAccounts(node).map((a) => privateKeyToAccount(a.key));
  const of = (account) => createWalletClient({ chain, account, transport: http() });
  return { pub: createPublicClient({ chain, transport: http() }), owner: of(owner), other: of(other) };
}

const fold = (leaf, item, proof) => {
  let h = keccak256(item);
  for (const p of proof) {
    h = keccak256(leaf & 1n ? concat([p, h]) : concat([h, p]));
    leaf >>= 1n;
  }
  return h;
};

const ask = (c, address, functionName, args = []) => c.pub.readContract({ address, abi, functionName, args });

/** The error object of a call that must revert. */
async function reverted(node, to, functionName, args = [], from) {
  const data = encodeFunctionData({ abi, functionName, args });
  const { error } = await node.call("eth_call", [{ to, data, from }, "latest"]);
  assert.equal(error?.code, 3, `${functionName}: ${JSON.stringify(error)}`);
  return error.data;
}

async function withdrawals(c) {
  const sends = [];
  for (let i = 0; i < 7; i++) {
    const value = BigInt(1000 + i);
    const call = i % 2 ? { functionName: "withdrawEth", args: [at(0xabc)] } : { functionName: "sendTxToL1", args: [at(0xdef), `0x${"c0".repeat(i * 11)}`] };
    const hash = await c.other.writeContract({ address: ARBSYS, abi, value, ...call });
    const receipt = await c.pub.waitForTransactionReceipt({ hash });
    const [{ args: e, address }] = parseEventLogs({ abi, logs: receipt.logs, eventName: "L2ToL1Tx" });
    const block = await c.pub.getBlock({ blockHash: receipt.blockHash });
    assert.deepEqual([address, e.position, e.callvalue, BigInt(block.sendCount)], [ARBSYS, BigInt(i), value, BigInt(i + 1)]);
    assert.deepEqual([e.arbBlockNum, e.ethBlockNum, e.timestamp], [block.number, BigInt(block.l1BlockNumber), block.timestamp]);
    const types = ["address", "address", "uint256", "uint256", "uint256", "uint256", "bytes"];
    const item = keccak256(encodePacked(types, [e.caller, e.destination, e.arbBlockNum, e.ethBlockNum, e.timestamp, e.callvalue, e.data]));
    assert.equal(BigInt(item), e.hash);
    sends.push({ item, root: block.sendRoot });
  }
  return sends;
}

async function proofs(c, sends) {
  for (let size = 1n; size <= BigInt(sends.length); size++)
    for (let leaf = 0n; leaf < size; leaf++) {
      const [send, root, proof] = await ask(c, NODE, "constructOutboxProof", [size, leaf]);
      assert.deepEqual([send, root], [sends[Number(leaf)].item, sends[Number(size) - 1].root]);
      assert.equal(fold(leaf, send, proof), root);
    }
}

async function blocks(node, c) {
  assert.equal(await ask(c, NODE, "nitroGenesisBlock"), 0n);
  const head = await c.pub.getBlock();
  const l1 = BigInt(head.l1BlockNumber);
  assert.equal(await ask(c, NODE, "blockL1Num", [head.number]), l1);
  const [first, last] = await ask(c, NODE, "l2BlockRangeForL1", [l1]);
  assert.ok(first <= head.number && last >= head.number);
  assert.equal(BigInt((await c.pub.getBlock({ blockNumber: first })).l1BlockNumber), l1);
  assert.ok(first === 0n || BigInt((await c.pub.getBlock({ blockNumber: first - 1n })).l1BlockNumber) < l1);
  await reverted(node, NODE, "l2BlockRangeForL1", [l1 + 1000n]);
  await reverted(node, NODE, "blockL1Num", [head.number + 1000n]);
  assert.equal(await ask(c, NODE, "getL1Confirmations", [head.hash]), 0n);
  await reverted(node, NODE, "findBatchContainingBlock", [head.number]);
  await reverted(node, NODE, "legacyLookupMessageBatchProof", [0n, 0n]);
  const short = await node.call("eth_call", [{ to: NODE, data: "0x6f275ef2" }, "latest"]);
  assert.deepEqual([short.error.code, short.error.data], [3, "0x"]);
}

const INIT = "0x6001600c60003960016000f300"; // code 00

async function estimates(node, c) {
  const data = encodeFunctionData({ abi, functionName: "gasEstimateComponents", args: [at(0xabc), false, "0x"] });
  const from = c.other.account.address;
  const answer = await node.rpc("eth_call", [{ to: NODE, data, from }, "latest"]);
  const [gas, forL1, baseFee, l1Fee] = decodeFunctionResult({ abi, functionName: "gasEstimateComponents", data: answer });
  assert.deepEqual([gas, forL1, baseFee], [21000n, 0n, (await c.pub.getBlock()).baseFeePerGas]);
  assert.deepEqual(await ask(c, NODE, "gasEstimateL1Component", [at(0xabc), false, "0x"]), [0n, baseFee, l1Fee]);

  const ticket = (deposit, to, value, calldata) => {
    const args = [from, deposit, to, value, from, from, calldata];
    return node.call("eth_estimateGas", [{ to: NODE, data: encodeFunctionData({ abi, functionName: "estimateRetryableTicket", args }) }]);
  };
  assert.equal((await ticket(10n ** 18n, at(0xabc), 5n, "0x")).result, "0x5208");
  const created = BigInt((await ticket(10n ** 18n, at(0), 0n, INIT)).result);
  assert.equal(created, BigInt(await node.rpc("eth_estimateGas", [{ from, data: INIT }])));
  assert.match((await ticket(4n, at(0xabc), 5n, "0x")).error.message, /insufficient funds/);
  assert.equal((await ticket(4n, RETRYABLE, 0n, encodeFunctionData({ abi, functionName: "redeem", args: [`0x${"11".repeat(32)}`] }))).error.code, 3);
}

async function owners(node, c) {
  const data = await reverted(node, OWNER, "setMinimumL2BaseFee", [5n], c.other.account.address);
  assert.equal(data, "0x");
  const before = await ask(c, GAS_INFO, "getMinimumGasPrice");
  const hash = await c.owner.writeContract({ address: OWNER, abi, functionName: "setMinimumL2BaseFee", args: [before + 7n] });
  const { logs } = await c.pub.waitForTransactionReceipt({ hash });
  const [{ args }] = parseEventLogs({ abi, logs, eventName: "OwnerActs" });
  assert.deepEqual([args.method, args.owner], ["0xa0188cdb", c.owner.account.address]);
  assert.equal(await ask(c, GAS_INFO, "getMinimumGasPrice"), before + 7n);
  const prices = await ask(c, GAS_INFO, "getPricesInWei");
  assert.equal(prices[3] + prices[4], prices[5]);
}

async function tickets(node) {
  const id = `0x${"22".repeat(32)}`;
  for (const f of ["getTimeout", "redeem"]) assert.equal(await reverted(node, RETRYABLE, f, [id]), "0x80698456", f);
  const words = [id, 0n, 0n, 0n, 0n, 0n, 0n, at(1), at(1), at(1), "0x"];
  assert.equal(await reverted(node, RETRYABLE, "submitRetryable", words), "0x902824c1");
}

async function arbsys(node, c, sends) {
  assert.equal(await ask(c, ARBSYS, "arbOSVersion"), 106n);
  assert.equal(await ask(c, ARBSYS, "isTopLevelCall"), true);
  assert.equal(await ask(c, ARBSYS, "arbBlockNumber"), await c.pub.getBlockNumber({ cacheTime: 0 }));
  const from = at(0);
  const data = encodeFunctionData({ abi, functionName: "sendMerkleTreeState" });
  const answer = await node.rpc("eth_call", [{ to: ARBSYS, data, from }, "latest"]);
  const [size, root] = decodeFunctionResult({ abi, functionName: "sendMerkleTreeState", data: answer });
  assert.deepEqual([size, root], [BigInt(sends.length), sends.at(-1).root]);
}

export async function run() {
  const node = await Node.start();
  const c = clients(node);
  const sends = await check("system: withdrawals leave the logs, items and send roots that the parent checks", () => withdrawals(c));
  if (sends) {
    await check("system: proofs for every message and size fold to the headers' roots", () => proofs(c, sends));
    await check("system: ArbSys tells version, block and tree", () => arbsys(node, c, sends));
  }
  await check("system: NodeInterface on blocks and batches", () => blocks(node, c));
  await check("system: NodeInterface estimates messages and tickets", () => estimates(node, c));
  await check("system: owners change prices, others do not", () => owners(node, c));
  await check("system: tickets that are not there answer NoTicketWithID", () => tickets(node));
  await node.stop();
}
