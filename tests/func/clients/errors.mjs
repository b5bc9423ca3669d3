// The errors that a tool can meet, each provoked on a node made for it: what the node answers (code, beginning of the text), and as
// what each tool hands it on (`told`: in words of its own; `patient`: tools that ask again by themselves and may get through). A row
// makes an envelope (`raw`) or a call (`method`, `params`); those with `tx` name sender and fields, for tools that sign what they
// make themselves.
import { writeFileSync } from "node:fs";
import path from "node:path";
import { concatHex, encodeFunctionData, keccak256, numberToHex, pad, parseTransaction, serializeTransaction, stringToHex, toHex, toRlp } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts, tempDir } from "../lib/node.mjs";
import { registryAbi, registryAddress } from "../lib/registry.mjs";
import { assert, check } from "../lib/suite.mjs";
import { collect } from "../lib/wait.mjs";

const GWEI = 10n ** 9n;
const ETHER = 10n ** 18n;
const GAS_CAP = 1 << 24; // EIP-7825
export const KEYS = { elder: `0x${"e1".repeat(32)}`, coder: `0x${"c0".repeat(32)}`, poor: `0x${"b0".repeat(32)}` };
const BURNER = `0x${"bb".repeat(20)}`;
/** Recovers the signer of the call's data until all gas is gone, which takes a quarter of a second for the most that a transaction may use. */
const BURN = "0x60805f5f375b5f5f60805f60015afa50600556";
const QUEUED_MAX = 8;
const BUSY_TRIES = 20;

/** A chain with accounts whose nonce is at its end (EIP-2681), with code, and without funds, and with small queues. */
async function errorNode(...args) {
  const account = (key) => privateKeyToAccount(key).address;
  const file = path.join(tempDir(), "genesis.json");
  const probe = await Node.start();
  const dev = devAccounts(probe);
  await probe.stop();
  const alloc = Object.fromEntries(dev.map((a) => [a.address, { balance: toHex(10000n * ETHER) }]));
  alloc[account(KEYS.elder)] = { balance: toHex(ETHER), nonce: "0xfffffffffffffffe" };
  alloc[account(KEYS.coder)] = { balance: toHex(ETHER), code: "0x00" };
  alloc[BURNER] = { balance: "0x0", code: BURN };
  writeFileSync(file, JSON.stringify({ config: { chainId: 41337 }, alloc, callipter: { universeCreation: "open" } }));
  const queue = ["--pool-queued", String(QUEUED_MAX), "--pool-per-sender", "2"];
  return Node.start(undefined, ["--chain", file, ...queue, ...args]);
}

/** Emits 11,000 logs without topics and data, when called. */
const LOUD = "0x6010600c60003960106000f3612af85b5f5fa0600190038060035700";

export class ErrorNode {
  static async start() {
    const n = new ErrorNode();
    n.node = await errorNode("--history-seconds", "1", "--checkpoint-rows", "200");
    n.slowNode = await errorNode("--block-gap-ms", "10000");
    n.fullNode = await errorNode("--pool-ready", "1");
    n.keys = devAccounts(n.node);
    n.chainId = n.node.chainId;
    await n.prepare();
    return n;
  }

  async sign(key, fields) {
    const base = { type: "eip1559", chainId: this.chainId, to: this.keys[1].address, gas: 21000n, maxFeePerGas: GWEI, maxPriorityFeePerGas: 0n, nonce: 0 };
    return privateKeyToAccount(key).signTransaction({ ...base, ...fields });
  }

  /** Sends one and waits for its receipt. */
  async run(node, key, fields) {
    return node.rpc("eth_sendRawTransactionSync", [await this.sign(key, fields)]);
  }

  async prepare() {
    const [alice, , full, waiting, logger] = this.keys;
    await this.run(this.node, alice.key, { nonce: 0 });
    const { abi, bytecode } = contract("Coin");
    const args = alice.address.slice(2).padStart(64, "0");
    const made = await this.run(this.node, alice.key, { nonce: 1, to: undefined, data: bytecode + args, gas: 3000000n });
    this.coin = { address: made.contractAddress, abi };
    const loud = await this.run(this.node, logger.key, { nonce: 0, to: undefined, data: LOUD, gas: 300000n });
    await this.run(this.node, logger.key, { nonce: 1, to: loud.contractAddress, gas: 16000000n });
    this.loud = loud.contractAddress;
    for (const nonce of [5, 6]) await this.node.rpc("eth_sendRawTransaction", [await this.sign(full.key, { nonce })]);
    await this.node.rpc("eth_sendRawTransaction", [await this.sign(waiting.key, { nonce: 3 })]);
    await this.run(this.slowNode, this.keys[0].key, { nonce: 0 }); // the next block is far away now
    await this.pauseUniverse(this.keys[9]);
    const pruned = async () => (await this.node.call("eth_getBalance", [alice.address, "0x1"])).error !== undefined;
    for (let nonce = 0; nonce < 10000 && !(await pruned()); nonce++) await this.run(this.node, this.keys[8].key, { nonce });
    this.refused = 0;
    for (const k of [1, 2, 3, 4, 5, 6]) this.keepBusy(this.keys[k].key);
    await collect().until(() => this.refused > 20);
  }

  /** A universe of this account with a contract, paused. */
  async pauseUniverse({ key, address }) {
    let nonce = 0;
    const send = async (fields) => {
      const receipt = await this.run(this.node, key, { nonce: nonce++, gas: 1000000n, ...fields });
      assert.equal(receipt.status, "0x1");
      return receipt;
    };
    const ask = (functionName, ...args) => send({ to: registryAddress, data: encodeFunctionData({ abi: registryAbi, functionName, args }) });
    await ask("createUniverse", stringToHex("quiet", { size: 14 }), address, "");
    await ask("offerDeployer", 1n, address, true);
    await ask("acceptDeployer", 1n);
    this.paused = (await send({ to: undefined, data: contract("Account").bytecode })).contractAddress;
    await ask("setPaused", 1n, true);
  }

  /** One transaction of this account that takes long is at the full node at any time, or asks to be. */
  async keepBusy(key) {
    const hash = keccak256("0x");
    const { r, s } = splitSignature(await privateKeyToAccount(key).sign({ hash }));
    const data = concatHex([hash, pad("0x1b"), pad(r), pad(s)]);
    for (let nonce = 0; !this.stopped; )
      try {
        const { error } = await this.fullNode.call("eth_sendRawTransaction", [await this.sign(key, { nonce, to: BURNER, gas: BigInt(GAS_CAP), data })]);
        if (!error) nonce++;
        else if (++this.refused) await new Promise((resolve) => setTimeout(resolve, 5));
      } catch {
        return; // the node has been stopped
      }
  }

  /** {node, method, params, tx} of a row. */
  async make(row) {
    const made = await row.make(this);
    const node = made.slow ? this.slowNode : made.full ? this.fullNode : this.node;
    if (made.tx) return { node, tx: made.tx, method: "eth_sendRawTransaction", params: [await this.sign(made.tx.key, made.tx.fields)] };
    if (made.raw) return { node, method: made.sync ? "eth_sendRawTransactionSync" : "eth_sendRawTransaction", params: [made.raw, ...(made.sync ? [made.sync] : [])] };
    return { node, ...made };
  }

  async stop() {
    this.stopped = true;
    await this.node.stop();
    for (const node of [this.slowNode, this.fullNode]) await node.stop("SIGKILL"); // they hold transactions for a block to come
  }
}

const tx = (key, fields) => ({ tx: { key, fields } });
const fromAlice = (fields) => (n) => tx(n.keys[0].key, { nonce: 2, ...fields });
const call = (method, ...params) => () => ({ method, params });
const bigData = (bytes) => `0x${"ff".repeat(bytes)}`;
/** The envelope with its signature's r as zero. */
const badSignature = (raw) => serializeTransaction(parseTransaction(raw), { r: numberToHex(0, { size: 32 }), s: numberToHex(1n, { size: 32 }), yParity: 0 });

// Names of tools' types by the node's code, where a row does not say otherwise.
const BY_CODE = {
  viem: { default: "RpcRequestError", [-32000]: "InvalidInputRpcError", [-32600]: "InvalidRequestRpcError", [-32601]: "MethodNotFoundRpcError", [-32602]: "InvalidParamsRpcError", [-32005]: "LimitExceededRpcError", 3: "ExecutionRevertedError" },
  ethers: { default: "UNKNOWN_ERROR" },
  web3: { default: "InvalidResponseError", 3: "ContractExecutionError", [-32000]: "InvalidInputError", [-32600]: "InvalidRequestError", [-32601]: "MethodNotFoundError", [-32602]: "InvalidParamsError", [-32005]: "LimitExceededError" },
  cast: { default: "server returned an error response" },
  forge: { default: "CheatcodeError" },
  hardhat: { default: "ProviderError" },
  metamask: { default: "failed, JsonRpcError -32603" },
}; // prettier-ignore

export const ERRORS = [
  { id: "reverted", code: 3, text: "execution reverted: so it is", make: (n) => ({ method: "eth_call", params: [{ to: n.coin.address, data: encodeFunctionData({ abi: n.coin.abi, functionName: "fail", args: ["so it is"] }) }, "latest"] }), ethers: "CALL_EXCEPTION" },
  { id: "custom error", code: 3, text: "execution reverted", make: (n) => ({ method: "eth_estimateGas", params: [{ from: n.keys[1].address, to: n.coin.address, data: encodeFunctionData({ abi: n.coin.abi, functionName: "mint", args: [n.keys[1].address, 1n] }) }] }), ethers: "CALL_EXCEPTION" },
  { id: "nonce too low", code: -32000, text: "nonce too low: next nonce 2, tx nonce 0", make: fromAlice({ nonce: 0 }), viem: "NonceTooLowError", ethers: "NONCE_EXPIRED" },
  { id: "nonce too high", code: 6, text: "nonce too high: next nonce 2, tx nonce 9", make: async (n) => ({ raw: await n.sign(n.keys[0].key, { nonce: 9 }), sync: 500 }), viem: "NonceTooHighError" },
  { id: "not in time", code: 4, text: "The transaction was added to the mempool but wasn't processed in 0.3s", make: async (n) => ({ slow: true, raw: await n.sign(n.keys[0].key, { nonce: 1 }), sync: 300 }) },
  { id: "already known", code: -32000, text: "already known", make: (n) => tx(n.keys[3].key, { nonce: 3 }), viem: "NonceTooLowError" },
  { id: "replacement", code: -32000, text: "replacement transaction underpriced", make: (n) => tx(n.keys[3].key, { nonce: 3, value: 1n }), ethers: "REPLACEMENT_UNDERPRICED" },
  { id: "fee below base", code: -32000, text: "max fee per gas less than block base fee: address 0x", make: fromAlice({ maxFeePerGas: 1n }), viem: "FeeCapTooLowError" },
  { id: "tip above cap", code: -32000, text: "max priority fee per gas higher than max fee per gas: address 0x", make: async (n) => ({ raw: await tipAboveCap(n) }), viem: "TipAboveFeeCapError" },
  { id: "funds", code: -32000, text: "insufficient funds for gas * price + value: address 0x", make: () => tx(KEYS.poor, {}), viem: "InsufficientFundsError", ethers: "INSUFFICIENT_FUNDS" },
  { id: "intrinsic gas", code: -32000, text: "intrinsic gas too low: gas 20999, minimum needed 21000", make: fromAlice({ gas: 20999n }), viem: "IntrinsicGasTooLowError" },
  { id: "floor gas", code: -32000, text: "insufficient gas for floor data gas cost: gas 40000, minimum needed 61000", make: fromAlice({ gas: 40000n, data: `0x${"00".repeat(4000)}` }) },
  { id: "block gas limit", code: -32000, text: "exceeds block gas limit", make: fromAlice({ gas: 10n ** 9n - 1n }) },
  { id: "transaction gas cap", code: -32000, text: `transaction gas limit too high (cap: ${GAS_CAP}, tx: ${GAS_CAP + 1})`, make: fromAlice({ gas: BigInt(GAS_CAP + 1) }) },
  { id: "type", code: -32000, text: "transaction type not supported: transaction type not valid", make: () => ({ raw: "0x03c0" }), viem: "TransactionTypeNotSupportedError" },
  { id: "chain id", code: -32000, text: "invalid chain id for signer: have 1 want 41337", make: async (n) => ({ raw: await n.sign(n.keys[0].key, { chainId: 1, nonce: 2 }) }) },
  { id: "unprotected", code: -32000, text: "only replay-protected (EIP-155) transactions allowed over RPC", make: async (n) => ({ raw: await unprotected(n) }), ethers: "UNSUPPORTED_OPERATION" },
  { id: "signature", code: -32000, text: "invalid transaction v, r, s values", make: async (n) => ({ raw: badSignature(await n.sign(n.keys[0].key, { nonce: 2 })) }) },
  { id: "rlp", code: -32000, text: "rlp: ", make: async (n) => ({ raw: (await n.sign(n.keys[0].key, { nonce: 2 })).slice(0, -2) }) },
  { id: "oversized", code: -32000, text: "oversized data: transaction size ", make: fromAlice({ gas: 8000000n, data: bigData(86000) }) },
  { id: "init code", code: -32000, text: "max initcode size exceeded: code size 49153, limit 49152", make: fromAlice({ to: undefined, gas: 16000000n, data: bigData(49153) }) },
  { id: "no authorizations", code: -32000, text: "EIP-7702 transaction with empty auth list", make: async (n) => ({ raw: await noAuthorizations(n) }) },
  { id: "pool is full", code: -32000, text: "txpool is full", make: (n) => tx(n.keys[2].key, { nonce: 9 }) },
  { id: "sender has code", code: -32000, text: "sender not an eoa: address 0x", make: () => tx(KEYS.coder, {}) },
  { id: "nonce at its end", code: -32000, text: "nonce has max value", make: async (n) => ({ raw: await lastNonce(n) }), viem: "NonceMaxValueError" },
  { id: "fee cap", code: -32000, text: "tx fee (1.23 ether) exceeds the configured cap (1.00 ether)", make: fromAlice({ gas: 1000000n, maxFeePerGas: 1230n * GWEI }) },
  { id: "rejected", code: -32003, text: "transaction rejected: universe paused", make: (n) => fromAlice({ to: n.paused, gas: 100000n })(n), viem: "TransactionRejectedRpcError", web3: "TransactionRejectedError" },
  { id: "busy", code: -32005, status: 429, text: "too many transactions are waiting, try again in 100ms", make: (n, nonce = 0) => ({ full: true, ...tx(n.keys[7].key, { nonce }) }), web3: "ResponseError", cast: "Max retries exceeded HTTP error 429", hardhat: "LimitExceededError", patient: ["cast", "forge", "hardhat"], told: { hardhat: "Limit exceeded" } },
  { id: "unknown method", code: -32601, text: "the method eth_getWork does not exist/is not available", make: call("eth_getWork"), ethers: "UNSUPPORTED_OPERATION" },
  { id: "no pushes over HTTP", code: -32601, text: "notifications not supported", make: call("eth_subscribe", "newHeads") },
  { id: "bad argument", code: -32602, text: "invalid argument 0: hex string has length 2, want 40 for common.Address", make: call("eth_getBalance", "0x11", "latest") },
  { id: "missing argument", code: -32602, text: "missing value for required argument 0", make: call("eth_getBalance") },
  { id: "range", code: -32602, text: "invalid block range params", make: call("eth_getLogs", { fromBlock: "0x2", toBlock: "0x1" }) },
  { id: "range beyond head", code: -32602, text: "block range extends beyond current head block", make: call("eth_getLogs", { fromBlock: "0x1", toBlock: "0xffffff" }) },
  { id: "unknown block", code: -32000, text: "header not found", make: (n) => ({ method: "eth_call", params: [{ to: n.coin.address, data: "0x" }, "0xffffff"] }), ethers: "CALL_EXCEPTION" },
  { id: "pruned", code: 4444, text: "pruned history unavailable", make: (n) => ({ method: "eth_getBalance", params: [n.keys[0].address, "0x1"] }) },
  { id: "unknown filter", code: -32000, text: "filter not found", make: call("eth_getFilterChanges", "0x1234") },
  { id: "too many results", code: -32005, text: "query returned more than 10000 results. Try with this block range [0x", make: (n) => ({ method: "eth_getLogs", params: [{ address: n.loud, fromBlock: "0x0", toBlock: "latest" }] }) },
]; // prettier-ignore

/** A legacy envelope from before EIP-155. */
async function unprotected(n) {
  return privateKeyToAccount(n.keys[0].key).signTransaction({ type: "legacy", to: n.keys[1].address, gas: 21000n, gasPrice: GWEI, nonce: 2 });
}

/** Fields that viem's own checks would not let through, signed all the same. */
async function signFields(key, type, fields) {
  const payload = concatHex([type, toRlp(fields)]);
  const { r, s, yParity } = await privateKeyToAccount(key).sign({ hash: keccak256(payload) }).then(splitSignature);
  return concatHex([type, toRlp([...fields, yParity, r, s])]);
}

const short = (hex) => (/^0x0*$/.test(hex) ? "0x" : `0x${hex.slice(2).replace(/^(00)+/, "")}`);
const number = (n) => (n === 0n ? "0x" : numberToHex(n, { size: Math.ceil(n.toString(16).length / 2) }));
const splitSignature = (sig) => ({ r: short(`0x${sig.slice(2, 66)}`), s: short(`0x${sig.slice(66, 130)}`), yParity: sig.endsWith("1c") ? "0x01" : "0x" });

const dynamicFields = (n, o) => [number(BigInt(n.chainId)), number(o.nonce), number(o.tip ?? 0n), number(GWEI), number(21000n), n.keys[1].address, "0x", "0x", []];
const tipAboveCap = (n) => signFields(n.keys[0].key, "0x02", dynamicFields(n, { nonce: 2n, tip: 2n * GWEI }));
const lastNonce = (n) => signFields(KEYS.elder, "0x02", dynamicFields(n, { nonce: 2n ** 64n - 1n }));
const noAuthorizations = (n) => signFields(n.keys[0].key, "0x04", [...dynamicFields(n, { nonce: 2n }), []]);

/** What the table says that a tool makes of a row. */
export function expected(tool, row) {
  return row[tool] ?? BY_CODE[tool][row.code] ?? BY_CODE[tool].default;
}

/** Provokes every row with one tool. `ask(made, row)` rejects with the tool's error, `typesOf(error)` gives the names of its types (or
 * codes) and `textOf` what it tells; `meets` says which of them its own requests can meet at all. */
export async function provoke(tool, { ask, typesOf, textOf, meets = () => true, finish }) {
  const n = await ErrorNode.start();
  const failures = [];
  const never = [];
  let met = 0;
  for (const row of ERRORS) {
    const made = await n.make(row);
    if (!meets(made, row)) {
      never.push(row.id);
      continue;
    }
    const outcome = async (asked) =>
      ask(asked, row).then(
        () => undefined,
        (x) => x,
      );
    let e = await outcome(made);
    // between two of those that keep it busy there is room for a moment: whoever came just then asks again
    for (let nonce = 1; row.id === "busy" && e === undefined && nonce < BUSY_TRIES; nonce++) e = await outcome(await n.make({ make: () => row.make(n, nonce) }));
    const types = e === undefined ? [] : typesOf(e, row);
    const text = e === undefined ? "" : textOf(e, row);
    if (row.patient?.includes(tool) && (e === undefined || /\bnone\b/.test(types))) met++; // it asks again by itself, and got through
    else if (e === undefined) failures.push(`${row.id}: did not fail`);
    else if (!types.includes(expected(tool, row))) failures.push(`${row.id}: want ${expected(tool, row)}, got ${types}: ${text.slice(0, 300)}`);
    else if (!text.includes(row.told?.[tool] ?? row.text)) failures.push(`${row.id}: "${row.text}" is not in: ${text.slice(0, 300)}`);
    else met++;
  }
  await finish?.();
  await n.stop();
  console.log(`     ${tool} met ${met} of ${ERRORS.length} errors${never.length ? `; it never sends what brings: ${never.join(", ")}` : ""}`);
  assert.deepEqual(failures, []);
}

/** What the node itself answers to each row, without a client in between: code and text as the table has them. */
export async function nodeAnswers() {
  const n = await ErrorNode.start();
  const failures = [];
  const ask = async (row, ...more) => {
    const made = await n.make({ make: () => row.make(n, ...more) });
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: made.method, params: made.params });
    const res = await fetch(made.node.url, { method: "POST", headers: { "content-type": "application/json" }, body });
    return { status: res.status, ...(await res.json()) };
  };
  for (const row of ERRORS) {
    let answer = await ask(row);
    for (let nonce = 1; row.id === "busy" && !answer.error && nonce < BUSY_TRIES; nonce++) answer = await ask(row, nonce);
    const { status, error, result } = answer;
    if (!error) failures.push(`${row.id}: answered ${JSON.stringify(result)?.slice(0, 100)}`);
    else if (error.code !== row.code || !error.message.startsWith(row.text)) failures.push(`${row.id}: ${error.code} ${error.message.slice(0, 200)}`);
    else if (status !== (row.status ?? 200)) failures.push(`${row.id}: HTTP status ${status}`);
  }
  await n.stop();
  assert.deepEqual(failures, []);
}

export const checkNodeAnswers = () => check("node: each error of the table has its code and text", nodeAnswers);
