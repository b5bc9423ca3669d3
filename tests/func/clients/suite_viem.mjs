// viem beyond the small suite: ERC-721, a speed-up, a delegated account that acts, every error of sending as viem's own type.
import {
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  custom,
  encodeFunctionData,
  http,
  maxUint256,
  nonceManager,
  parseGwei,
  webSocket,
} from "viem";
import { getNodeError } from "viem/utils";
import { privateKeyToAccount } from "viem/accounts";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts } from "../lib/node.mjs";
import { assert, check } from "../lib/suite.mjs";
import { chainOf } from "../lib/viem.mjs";
import { WAIT_MS, collect } from "../lib/wait.mjs";
import { provoke } from "./errors.mjs";
import { feature } from "./matrix.mjs";
import { plain, tokens } from "./tokens.mjs";

const FEATURE = (ids, name, fn) => feature("viem", ids, name, fn);

export async function run() {
  const node = await Node.start();
  const chain = chainOf(node);
  const transport = http(node.url, { retryCount: 0 });
  const client = createPublicClient({ chain, transport, pollingInterval: 20, cacheTime: 0 });
  const [alice, bob, carol, dave] = devAccounts(node).map((k) => privateKeyToAccount(k.key));
  const wallet = createWalletClient({ chain, transport, account: alice });
  const bobs = createWalletClient({ chain, transport, account: bob });
  const mined = (hash) => client.waitForTransactionReceipt({ hash, timeout: WAIT_MS });

  const deploy = async (name, args = [alice.address]) => {
    const c = contract(name);
    const receipt = await mined(await wallet.deployContract({ ...c, args }));
    assert.equal(receipt.status, "success");
    return { address: receipt.contractAddress, abi: c.abi };
  };

  await tokens("viem", {
    deploy,
    send: async (c, functionName, args) => assert.equal((await mined(await wallet.writeContract({ ...c, functionName, args }))).status, "success"),
    read: async (c, functionName, args) => plain(await client.readContract({ ...c, functionName, args })),
    alice: alice.address,
    bob: bob.address,
  });
  const deeds = await deploy("Deeds");
  await FEATURE(["http", "ws"], "ERC-721 mint, transfer, events over HTTP filter and WebSocket", async () => {
    const over = collect();
    const wsClient = createPublicClient({ chain, transport: webSocket(`ws://${node.address}`, { reconnect: false }) });
    const [seen, polled] = [collect(), collect()];
    const stops = [
      wsClient.watchContractEvent({ ...deeds, eventName: "Transfer", onLogs: seen.all, onError: seen.fail }),
      client.watchContractEvent({ ...deeds, eventName: "Transfer", onLogs: polled.all, onError: polled.fail }),
    ];
    const probe = wsClient.watchBlockNumber({ onBlockNumber: over.add, onError: over.fail });
    await over.until(async () => {
      await mined(await bobs.sendTransaction({ to: bob.address }));
      return over.items.length > 0;
    });
    probe();
    for (const id of [1n, 2n])
      await mined(await wallet.writeContract({ ...deeds, functionName: "mint", args: [alice.address, id] }));
    await mined(
      await wallet.writeContract({
        ...deeds,
        functionName: "safeTransferFrom",
        args: [alice.address, bob.address, 2n],
      }),
    );
    assert.equal(await client.readContract({ ...deeds, functionName: "ownerOf", args: [2n] }), bob.address);
    await seen.until(() => seen.items.length === 3);
    await polled.until(() => polled.items.length === 3);
    assert.deepEqual(
      seen.items.map((l) => l.args.tokenId),
      [1n, 2n, 2n],
    );
    assert.deepEqual(polled.items.map((l) => l.transactionHash), seen.items.map((l) => l.transactionHash));
    stops.forEach((stop) => stop());
    (await wsClient.transport.getRpcClient()).close();
  });
  await FEATURE(["custom"], "ERC-721's custom error at the estimate of a send", async () => {
    const e = await bobs.writeContract({ ...deeds, functionName: "transferFrom", args: [alice.address, bob.address, 1n] }).then(
      () => assert.fail("sent"),
      (x) => x.walk((y) => y instanceof ContractFunctionRevertedError),
    );
    assert.equal(e.data.errorName, "ERC721InsufficientApproval");
    assert.deepEqual(e.data.args, [bob.address, 1n]);
  });

  await FEATURE(["speedup"], "a waiting transaction is sped up, and waiting for the old one tells of it", async () => {
    const nonce = await client.getTransactionCount({ address: bob.address });
    const request = { to: carol.address, value: 5n, nonce: nonce + 1, gas: 21000n };
    const slow = await bobs.sendTransaction({ ...request, maxFeePerGas: parseGwei("1"), maxPriorityFeePerGas: parseGwei("0.1") });
    // viem tells a replacement by the transaction that it has seen waiting; so let it see that first.
    const seen = collect();
    const transport = custom({
      async request({ method, params }) {
        const result = await node.rpc(method, params);
        seen.add(method);
        return result;
      },
    });
    const watcher = createPublicClient({ chain, transport, pollingInterval: 20, cacheTime: 0 });
    let replaced;
    const waiting = watcher.waitForTransactionReceipt({ hash: slow, timeout: WAIT_MS, onReplaced: (r) => (replaced = r) });
    await seen.until(() => seen.items.includes("eth_getTransactionByHash"));
    const fast = await bobs.sendTransaction({ ...request, maxFeePerGas: parseGwei("2"), maxPriorityFeePerGas: parseGwei("0.2") });
    assert.notEqual(fast, slow);
    await mined(await bobs.sendTransaction({ to: carol.address, nonce, gas: 21000n }));
    const receipt = await waiting;
    assert.equal(receipt.transactionHash, fast);
    assert.equal(replaced.reason, "repriced");
    await assert.rejects(client.getTransaction({ hash: slow }), (e) => e.name === "TransactionNotFoundError");
  });
  await FEATURE(["fifty"], "Promise.all of fifty sends with its nonce manager", async () => {
    const managed = privateKeyToAccount(devAccounts(node)[3].key, { nonceManager });
    const daves = createWalletClient({ chain, transport, account: managed });
    const hashes = await Promise.all(
      Array.from({ length: 50 }, () => daves.sendTransaction({ to: bob.address, value: 1n })),
    );
    const receipts = await Promise.all(hashes.map(mined));
    assert.equal(new Set(hashes).size, 50);
    assert.ok(receipts.every((r) => r.status === "success"));
    assert.equal(await client.getTransactionCount({ address: dave.address }), 50);
  });

  await FEATURE(["delegation"], "a delegated account (EIP-7702) acts twice in one transaction, then takes it back", async () => {
    const logic = await deploy("Account", []);
    const authorization = await bobs.signAuthorization({ contractAddress: logic.address, executor: "self" });
    const nothing = encodeFunctionData({ ...deeds, functionName: "transferFrom", args: [bob.address, carol.address, 2n] });
    const approve = encodeFunctionData({ ...deeds, functionName: "approve", args: [bob.address, 2n] });
    const data = encodeFunctionData({
      abi: logic.abi,
      functionName: "execute",
      args: [[deeds.address, deeds.address], [approve, nothing]],
    });
    const receipt = await mined(await bobs.sendTransaction({ authorizationList: [authorization], to: bob.address, data }));
    assert.equal(receipt.status, "success");
    assert.equal(receipt.logs.length, 2);
    assert.equal(await client.readContract({ ...deeds, functionName: "ownerOf", args: [2n] }), carol.address);
    assert.equal((await client.getDelegation({ address: bob.address })).toLowerCase(), logic.address);
    const notHim = await client
      .simulateContract({ address: bob.address, abi: logic.abi, functionName: "execute", args: [[], []], account: carol })
      .then(
        () => assert.fail("allowed"),
        (e) => e.walk((y) => y instanceof ContractFunctionRevertedError),
      );
    assert.equal(notHim.data.errorName, "NotTheAccount");
    const back = await bobs.signAuthorization({
      contractAddress: "0x0000000000000000000000000000000000000000",
      executor: "self",
    });
    await mined(await bobs.sendTransaction({ authorizationList: [back], to: bob.address }));
    assert.equal(await client.getCode({ address: bob.address }), undefined);
  });

  await check("viem: what it refuses itself", async () => {
    const ask = (request) =>
      wallet.sendTransaction({ to: bob.address, value: 1n, gas: 21000n, nonce: 99, maxFeePerGas: parseGwei("1"), ...request }).then(
        () => ["sent"],
        (e) => names(e),
      );
    assert.ok((await ask({ maxFeePerGas: maxUint256 + 1n, type: "eip1559" })).includes("FeeCapTooHighError"));
    assert.ok((await ask({ maxPriorityFeePerGas: parseGwei("2") })).includes("TipAboveFeeCapError"));
  });
  await FEATURE(["errors"], "each error of the table is its own type", () =>
    provoke("viem", {
      ask: (made) => createPublicClient({ chain, transport: http(made.node.url, { retryCount: 0 }) }).request({ method: made.method, params: made.params }),
      typesOf: (e) => [...names(getNodeError(e, {})), ...names(e)],
      textOf: (e) => e.details,
    }),
  );

  await node.stop();
}

/** Names of an error and of its causes. */
function names(e) {
  const list = [];
  for (let x = e; x; x = x.cause) list.push(x.name);
  return list;
}
