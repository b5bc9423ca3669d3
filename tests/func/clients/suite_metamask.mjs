// MetaMask's own transaction controller: types, gas, nonces, approval, signing, publishing, tracking, speed-up, failures.
// Transactions of type 4 are made by @ethereumjs/tx 10: the controller asks for the release before it, which knows a draft of
// EIP-7702 only, so that applications put another in its place.
// The parts of the extension around it (keys, approvals, the network's client) are the least that it asks for.
import { Messenger } from "@metamask/messenger";
import { PollingBlockTracker } from "@metamask/eth-block-tracker";
import { JsonRpcEngine } from "@metamask/json-rpc-engine";
import { providerFromEngine } from "@metamask/eth-json-rpc-provider";
import { TransactionController } from "@metamask/transaction-controller";
import { JsonRpcError } from "@metamask/rpc-errors";
import { signEIP7702Authorization } from "@metamask/eth-sig-util";
import { TransactionFactory } from "@ethereumjs/tx";
import { createEOACode7702Tx } from "../node_modules/@ethereumjs/tx/dist/esm/index.js";
import { encodeFunctionData } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts } from "../lib/node.mjs";
import { assert, check } from "../lib/suite.mjs";
import { WAIT_MS } from "../lib/wait.mjs";
import { provoke } from "./errors.mjs";
import { cannot, feature } from "./matrix.mjs";
import { plain, tokens } from "./tokens.mjs";
import { commonOf } from "./web3_set_code.mjs";

const FEATURE = (ids, name, fn) => feature("metamask", ids, name, fn);

const hex = (n) => `0x${n.toString(16)}`;

const fromTxData = TransactionFactory.fromTxData.bind(TransactionFactory);
TransactionFactory.fromTxData = (data, options) =>
  Number(data.type) === 4 ? createEOACode7702Tx(data, { common: commonOf(options.common.chainId()), freeze: false }) : fromTxData(data, options);

/** The controller on the node, with the first account selected. */
function wallet(node, keys) {
  const chainId = hex(node.chainId);
  const engine = new JsonRpcEngine();
  engine.push((req, res, next, end) => {
    node.call(req.method, req.params).then(
      (answer) => {
        if (answer.error) return end(new JsonRpcError(answer.error.code, answer.error.message, answer.error.data));
        res.result = answer.result;
        end();
      },
      (e) => end(e),
    );
  });
  const provider = providerFromEngine(engine);
  const blockTracker = new PollingBlockTracker({ provider, pollingInterval: 50 });
  const client = {
    configuration: { chainId, type: "custom", rpcUrl: node.url, ticker: "ETH" },
    provider,
    blockTracker,
    destroy() {},
  };
  const selected = { id: "alice", address: keys[0].address, type: "eip155:eoa", metadata: {}, options: {}, methods: [] };
  const root = new Messenger({ namespace: "Root" });
  const messenger = new Messenger({ namespace: "TransactionController", parent: root });
  const answers = {
    "AccountsController:getSelectedAccount": () => selected,
    "AccountsController:getState": () => ({ internalAccounts: { accounts: { alice: selected }, selectedAccount: "alice" } }),
    "ApprovalController:addRequest": async () => ({ value: {}, resultCallbacks: undefined }),
    "KeyringController:signEip7702Authorization": async ({ chainId, contractAddress, nonce }) =>
      signEIP7702Authorization({ privateKey: Buffer.from(keys[0].key.slice(2), "hex"), authorization: [chainId, contractAddress, nonce] }),
    "NetworkController:findNetworkClientIdByChainId": () => "node",
    "NetworkController:getNetworkClientById": () => client,
    "RemoteFeatureFlagController:getState": () => ({ remoteFeatureFlags: {}, cacheTimestamp: 0 }),
  };
  for (const [name, fn] of Object.entries(answers)) {
    const owner = new Messenger({ namespace: name.split(":")[0], parent: root });
    owner.registerActionHandler(name, fn);
  }
  root.delegate({ messenger, actions: Object.keys(answers), events: ["NetworkController:stateChange"] });
  const networks = { [chainId]: { chainId, rpcEndpoints: [{ networkClientId: "node" }], defaultRpcEndpointIndex: 0 } };
  const controller = new TransactionController({
    messenger,
    disableHistory: true,
    disableSwaps: true,
    transactionHistoryLimit: 200,
    getCurrentNetworkEIP1559Compatibility: async () => true,
    getNetworkClientRegistry: () => ({ node: client }),
    getNetworkState: () => ({ selectedNetworkClientId: "node", networkConfigurationsByChainId: networks, networksMetadata: {} }),
    isFirstTimeInteractionEnabled: () => false,
    isSimulationEnabled: () => false,
    incomingTransactions: { isEnabled: () => false },
    pendingTransactions: { isResubmitEnabled: () => false },
    sign: async (tx) => tx.sign(Buffer.from(keys[0].key.slice(2), "hex")),
    hooks: {},
  });
  return { controller, messenger, blockTracker };
}

/** A controller with what a test does over it. */
class Wallet {
  constructor(node, keys) {
    Object.assign(this, wallet(node, keys), { node, from: keys[0].address });
    this.blockTracker.on("latest", () => {}); // keeps it running, as the wallet's other parts do
  }

  meta(id) {
    return this.controller.state.transactions.find((t) => t.id === id);
  }

  /** Waits until the controller itself says that the transaction is in one of the states. */
  reaches(id, ...states) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`still ${this.meta(id)?.status}: ${JSON.stringify(this.meta(id)?.error)}`)), WAIT_MS);
      const look = () => {
        const t = this.meta(id);
        if (!t || !states.includes(t.status)) return;
        clearTimeout(timer);
        this.messenger.unsubscribe("TransactionController:stateChange", look);
        resolve(t);
      };
      this.messenger.subscribe("TransactionController:stateChange", look);
      look();
    });
  }

  async add(params) {
    const { transactionMeta, result } = await this.controller.addTransaction({ from: this.from, ...params }, { networkClientId: "node", origin: "metamask" });
    return { id: transactionMeta.id, result };
  }

  async send(params) {
    const { id, result } = await this.add(params);
    await result;
    const t = await this.reaches(id, "confirmed", "failed", "dropped");
    assert.equal(t.status, "confirmed", JSON.stringify(t.error));
    await this.blockTracker.checkForLatestBlock(); // the next nonce is that at the tracker's block
    return t;
  }

  async stop() {
    this.controller.destroy();
    await this.blockTracker.destroy();
  }
}

export async function run() {
  const node = await Node.start();
  const keys = devAccounts(node);
  const [alice, bob] = keys.map((k) => k.address);
  const w = new Wallet(node, keys);
  const { controller } = w;
  const [add, send, meta, reaches] = ["add", "send", "meta", "reaches"].map((name) => w[name].bind(w));

  await check("metamask: sends ether, type 2, gas and fees of its own", async () => {
    const t = await send({ to: bob, value: hex(10n ** 18n) });
    assert.equal(t.type, "simpleSend");
    assert.equal(t.txParams.type, "0x2");
    assert.equal(t.txParams.gas, hex(21000));
    assert.equal(t.txReceipt.status, "0x1");
    assert.equal(BigInt(await node.rpc("eth_getBalance", [bob, "latest"])), 10n ** 22n + 10n ** 18n);
  });

  const types = new Map();
  const { coin } = await tokens("metamask", {
    async deploy(name) {
      const t = await send({ data: `${contract(name).bytecode}${alice.slice(2).padStart(64, "0")}` });
      assert.equal(t.type, "contractDeployment");
      return { to: t.txReceipt.contractAddress, abi: contract(name).abi };
    },
    async send({ to, abi }, functionName, args) {
      types.set(functionName, (await send({ to, data: encodeFunctionData({ abi, functionName, args }) })).type);
    },
    async read({ to, abi }, functionName, args) {
      const answer = await node.rpc("eth_call", [{ to, data: encodeFunctionData({ abi, functionName, args }) }, "latest"]);
      return functionName === "ownerOf" ? `0x${answer.slice(26)}` : plain(BigInt(answer).toString());
    },
    alice,
    bob,
  });
  await check("metamask: tells token methods apart", async () => {
    assert.equal(types.get("transfer"), "transfer");
    assert.equal(types.get("transferFrom"), "transferfrom");
    assert.equal(types.get("mint"), "contractInteraction");
  });

  await FEATURE(["fifty"], "Promise.all of fifty sends, its own nonces", async () => {
    const nonce = BigInt(await node.rpc("eth_getTransactionCount", [alice, "latest"]));
    const all = await Promise.all(Array.from({ length: 50 }, () => send({ to: bob, value: "0x1", gas: hex(21000) })));
    assert.equal(new Set(all.map((t) => t.txParams.nonce)).size, 50);
    assert.equal(BigInt(await node.rpc("eth_getTransactionCount", [alice, "latest"])), nonce + 50n);
  });

  await FEATURE(["speedup"], "speeds up a waiting transaction; the slow one is dropped", async () => {
    const nonce = Number(await node.rpc("eth_getTransactionCount", [alice, "latest"]));
    const slow = await add({
      to: bob,
      value: "0x7",
      gas: hex(21000),
      nonce: hex(nonce + 1),
      maxFeePerGas: hex(10n ** 9n),
      maxPriorityFeePerGas: hex(10n ** 8n),
    });
    await slow.result;
    assert.equal(meta(slow.id).status, "submitted");
    await controller.speedUpTransaction(slow.id);
    const fast = controller.state.transactions.find((t) => t.originalType && t.type === "retry");
    assert.ok(BigInt(fast.txParams.maxFeePerGas) >= (11n * 10n ** 9n) / 10n);
    await send({ to: bob, value: "0x1", gas: hex(21000), nonce: hex(nonce) });
    await reaches(fast.id, "confirmed");
    await reaches(slow.id, "dropped");
  });

  await FEATURE(["delegation"], "a transaction of type 4 with an authorization that it signs itself (EIP-7702)", async () => {
    const logic = await send({ data: contract("Account").bytecode });
    const address = logic.txReceipt.contractAddress;
    const t = await send({ to: bob, type: "0x4", authorizationList: [{ address }], gas: hex(100000) });
    assert.equal(t.txReceipt.type, "0x4");
    assert.equal(await node.rpc("eth_getCode", [alice, "latest"]), `0xef0100${address.slice(2)}`);
    await send({ to: bob, type: "0x4", authorizationList: [{ address: `0x${"00".repeat(20)}` }], gas: hex(100000) });
    assert.equal(await node.rpc("eth_getCode", [alice, "latest"]), "0x");
  });
  const notIts = async (call) => assert.ok(!Object.getOwnPropertyNames(Object.getPrototypeOf(controller)).some((name) => call.test(name)));
  await cannot("metamask", "http", "the controller follows its own transactions only", () => notIts(/getLogs|filter|subscribe/i));
  await cannot("metamask", "ws", "the controller follows its own transactions only", () => notIts(/getLogs|filter|subscribe/i));

  await check("metamask: a revert on the chain is a failed transaction", async () => {
    const data = encodeFunctionData({ abi: coin.abi, functionName: "fail", args: ["so it is"] });
    const reverted = await add({ to: coin.to, data, gas: hex(100000) });
    await reverted.result;
    const failed = await reaches(reverted.id, "failed", "confirmed");
    assert.equal(failed.status, "failed");
    assert.equal(failed.error.message, "Transaction dropped or replaced"); // its words for status 0
    assert.equal((await node.rpc("eth_getTransactionReceipt", [failed.hash])).status, "0x0");
    const simulated = await add({ to: coin.to, data });
    assert.match(JSON.stringify(meta(simulated.id).simulationFails ?? {}), /execution reverted: so it is/);
    simulated.result.catch(() => {});
  });
  await cannot("metamask", "custom", "it has no ABI of the contract: a revert is told with the node's text, custom errors undecoded", async () => {
    const data = encodeFunctionData({ abi: coin.abi, functionName: "mint", args: [alice, 2n * 10n ** 24n] });
    const refused = await add({ to: coin.to, data });
    refused.result.catch(() => {});
    const told = JSON.stringify(meta(refused.id).simulationFails);
    assert.match(told, /execution reverted/);
    assert.doesNotMatch(told, /AboveCap/);
  });
  await FEATURE(["errors"], "each error of the table that its own transactions can meet fails them with the node's text", async () => {
    const wallets = new Map();
    const of = (n, key) => wallets.get(key) ?? wallets.set(key, new Wallet(n, [{ key, address: privateKeyToAccount(key).address.toLowerCase() }])).get(key);
    await provoke("metamask", {
      meets: (made, row) => made.tx !== undefined && row.id !== "init code", // that its library refuses itself
      async ask({ node: there, tx }) {
        const its = of(there, tx.key);
        const { gas = 21000n, nonce = 0, value = 0n, maxFeePerGas = 10n ** 9n, data } = tx.fields;
        const to = "to" in tx.fields ? tx.fields.to : bob;
        const { id, result } = await its.add({ ...(to && { to }), ...(data && { data }), gas: hex(gas), nonce: hex(nonce), value: hex(value), maxFeePerGas: hex(maxFeePerGas), maxPriorityFeePerGas: "0x0" });
        const e = await result.then(
          () => undefined,
          (x) => x,
        );
        if (!e) return;
        throw { ...its.meta(id), told: e };
      },
      typesOf: (t) => [`${t.status}, ${t.told.constructor.name} ${t.told.code}`],
      textOf: (t) => t.error.message,
      finish: () => Promise.all([...wallets.values()].map((its) => its.stop())),
    });
  });

  await w.stop();
  await node.stop();
}
