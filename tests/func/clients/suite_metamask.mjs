// MetaMask's own transaction controller: types, gas, nonces, approval, signing, publishing, tracking, speed-up, failures.
// No delegation: the library that it signs with knows a draft of EIP-7702 only.
// The parts of the extension around it (keys, approvals, the network's client) are the least that it asks for.
import { Messenger } from "@metamask/messenger";
import { PollingBlockTracker } from "@metamask/eth-block-tracker";
import { JsonRpcEngine } from "@metamask/json-rpc-engine";
import { providerFromEngine } from "@metamask/eth-json-rpc-provider";
import { TransactionController } from "@metamask/transaction-controller";
import { JsonRpcError } from "@metamask/rpc-errors";
import { encodeFunctionData, parseAbi } from "viem";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts } from "../lib/node.mjs";
import { assert, check } from "../lib/suite.mjs";

const hex = (n) => `0x${n.toString(16)}`;
const WAIT_MS = 20000;

/** The controller on the node, with alice selected. */
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

export async function run() {
  const node = await Node.start();
  const keys = devAccounts(node);
  const [alice, bob] = keys.map((k) => k.address);
  const { controller, messenger, blockTracker } = wallet(node, keys);
  blockTracker.on("latest", () => {}); // keeps it running, as the wallet's other parts do
  const meta = (id) => controller.state.transactions.find((t) => t.id === id);
  /** Waits until the controller itself says that the transaction is in one of the states. */
  const reaches = (id, ...states) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`still ${meta(id)?.status}: ${JSON.stringify(meta(id)?.error)}`)), WAIT_MS);
      const look = () => {
        const t = meta(id);
        if (!t || !states.includes(t.status)) return;
        clearTimeout(timer);
        messenger.unsubscribe("TransactionController:stateChange", look);
        resolve(t);
      };
      messenger.subscribe("TransactionController:stateChange", look);
      look();
    });
  const add = async (params) => {
    const { transactionMeta, result } = await controller.addTransaction(
      { from: alice, ...params },
      { networkClientId: "node", origin: "metamask" },
    );
    return { id: transactionMeta.id, result };
  };
  const send = async (params) => {
    const { id, result } = await add(params);
    await result;
    const t = await reaches(id, "confirmed", "failed", "dropped");
    assert.equal(t.status, "confirmed", JSON.stringify(t.error));
    await blockTracker.checkForLatestBlock(); // the next nonce is that at the tracker's block
    return t;
  };

  await check("metamask: sends ether, type 2, gas and fees of its own", async () => {
    const t = await send({ to: bob, value: hex(10n ** 18n) });
    assert.equal(t.type, "simpleSend");
    assert.equal(t.txParams.type, "0x2");
    assert.equal(t.txParams.gas, hex(21000));
    assert.equal(t.txReceipt.status, "0x1");
    assert.equal(BigInt(await node.rpc("eth_getBalance", [bob, "latest"])), 10n ** 22n + 10n ** 18n);
  });

  const tokens = {};
  await check("metamask: deploys and uses ERC-20, ERC-721 and ERC-1155", async () => {
    for (const name of ["Coin", "Deeds", "Items"]) {
      const t = await send({ data: `${contract(name).bytecode}${alice.slice(2).padStart(64, "0")}` });
      assert.equal(t.type, "contractDeployment");
      tokens[name] = { to: t.txReceipt.contractAddress, abi: contract(name).abi };
    }
    const call = (name, functionName, args) =>
      send({ to: tokens[name].to, data: encodeFunctionData({ abi: tokens[name].abi, functionName, args }) });
    await call("Coin", "mint", [alice, 1000n]);
    assert.equal((await call("Coin", "transfer", [bob, 300n])).type, "transfer");
    await call("Deeds", "mint", [alice, 1n]);
    assert.equal((await call("Deeds", "safeTransferFrom", [alice, bob, 1n])).type, "safetransferfrom");
    const ids = [1n, 2n, 3n];
    await call("Items", "mintBatch", [alice, ids, ids]);
    const moved = await call("Items", "safeTransferFrom", [alice, bob, 3n, 2n, "0x"]);
    assert.equal(moved.txReceipt.logs.length, 1);
    const data = encodeFunctionData({ abi: parseAbi(["function balanceOf(address) view returns (uint256)"]), args: [bob] });
    assert.equal(BigInt(await node.rpc("eth_call", [{ to: tokens.Coin.to, data }, "latest"])), 300n);
  });

  await check("metamask: Promise.all of fifty sends, its own nonces", async () => {
    const nonce = BigInt(await node.rpc("eth_getTransactionCount", [alice, "latest"]));
    const all = await Promise.all(Array.from({ length: 50 }, () => send({ to: bob, value: "0x1", gas: hex(21000) })));
    assert.equal(new Set(all.map((t) => t.txParams.nonce)).size, 50);
    assert.equal(BigInt(await node.rpc("eth_getTransactionCount", [alice, "latest"])), nonce + 50n);
  });

  await check("metamask: speeds up a waiting transaction; the slow one is dropped", async () => {
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

  await check("metamask: a revert on the chain is a failed transaction, a refusal comes with the node's text", async () => {
    const data = encodeFunctionData({ abi: tokens.Coin.abi, functionName: "fail", args: ["so it is"] });
    const reverted = await add({ to: tokens.Coin.to, data, gas: hex(100000) });
    await reverted.result;
    const failed = await reaches(reverted.id, "failed", "confirmed");
    assert.equal(failed.status, "failed");
    assert.equal(failed.error.message, "Transaction dropped or replaced"); // its words for status 0
    assert.equal((await node.rpc("eth_getTransactionReceipt", [failed.hash])).status, "0x0");
    const simulated = await add({ to: tokens.Coin.to, data });
    assert.match(JSON.stringify(meta(simulated.id).simulationFails ?? {}), /execution reverted: so it is/);
    simulated.result.catch(() => {});
    for (const [params, text] of [
      [{ value: hex(10n ** 24n) }, /insufficient funds for gas \* price \+ value/],
      [{ value: "0x1", nonce: "0x0" }, /nonce too low/],
      [{ value: "0x1", maxFeePerGas: "0x1", maxPriorityFeePerGas: "0x0" }, /max fee per gas less than block base fee/],
      [{ value: "0x1", gas: hex(20000) }, /intrinsic gas too low/],
    ]) {
      const refused = await add({ to: bob, gas: hex(21000), ...params });
      await assert.rejects(refused.result, text);
      assert.equal(meta(refused.id).status, "failed");
    }
  });

  controller.destroy();
  await blockTracker.destroy();
  await node.stop();
}
