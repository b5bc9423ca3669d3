// Filters that are polled: by hand, through viem over HTTP, and through ethers, whose events over HTTP are made of them.
import { Contract, ContractFactory, JsonRpcProvider, NonceManager, Wallet } from "ethers";
import { createPublicClient, createWalletClient, http, parseAbiItem } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { contract } from "./lib/compile.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { chainOf } from "./lib/viem.mjs";
import { collect } from "./lib/wait.mjs";

const TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

export async function run() {
  const node = await Node.start();
  const [aliceKey, bobKey] = devAccounts(node);
  const send = () => node.rpc("eth_sendTransaction", [{ from: aliceKey.address, to: bobKey.address, value: "0x1" }]);
  const changes = (id) => node.rpc("eth_getFilterChanges", [id]);

  await check("filters: blocks", async () => {
    const id = await node.rpc("eth_newBlockFilter");
    assert.match(id, /^0x[1-9a-f][0-9a-f]{31}$/);
    assert.deepEqual(await changes(id), []);
    await send();
    await send();
    const hashes = await changes(id);
    assert.deepEqual(hashes, [
      (await node.rpc("eth_getBlockByNumber", ["0x1", false])).hash,
      (await node.rpc("eth_getBlockByNumber", ["0x2", false])).hash,
    ]);
    assert.deepEqual(await changes(id), []);
  });

  await check("filters: pending transactions, as hashes and whole", async () => {
    const id = await node.rpc("eth_newPendingTransactionFilter");
    const full = await node.rpc("eth_newPendingTransactionFilter", [true]);
    const hash = await send();
    assert.deepEqual(await changes(id), [hash]);
    const [tx] = await changes(full);
    assert.equal(tx.hash, hash);
    assert.equal(tx.from, aliceKey.address);
    assert.deepEqual(await changes(full), []);
  });

  const chain = chainOf(node);
  const account = privateKeyToAccount(aliceKey.key);
  const client = createPublicClient({ chain, transport: http(), pollingInterval: 20 });
  const wallet = createWalletClient({ chain, transport: http(), account });
  const { abi, bytecode } = contract("Coin");
  const address = await check("filters: viem watches a contract by filter", async () => {
    const deployed = await client.waitForTransactionReceipt({
      hash: await wallet.deployContract({ abi, bytecode, args: [account.address] }),
    });
    const coin = deployed.contractAddress;
    const seen = collect();
    const stop = client.watchContractEvent({ address: coin, abi, eventName: "Transfer", onLogs: seen.all, onError: seen.fail });
    // viem makes its filter at its own time: until it has, logs are not its.
    await seen.until(async () => {
      await wallet.writeContract({ address: coin, abi, functionName: "mint", args: [account.address, 7n] });
      return seen.items.length >= 3;
    });
    stop();
    assert.ok(seen.items.every((l) => l.args.value === 7n && l.address === coin));
    const ids = new Set(seen.items.map((l) => `${l.blockHash} ${l.logIndex}`));
    assert.equal(ids.size, seen.items.length, "no log twice");
    return coin;
  });

  await check("filters: logs by address and topic; getFilterLogs; uninstall", async () => {
    const topicOf = (a) => `0x${"0".repeat(24)}${a.slice(2)}`;
    const id = await node.rpc("eth_newFilter", [{ address, topics: [TRANSFER, null, [topicOf(bobKey.address)]] }]);
    const none = await node.rpc("eth_newFilter", [{ address: bobKey.address }]);
    const mint = (to) => wallet.writeContract({ address, abi, functionName: "mint", args: [to, 1n] });
    await mint(account.address);
    const hash = await mint(bobKey.address);
    const logs = await changes(id);
    assert.deepEqual(logs.map((l) => l.transactionHash), [hash]);
    assert.deepEqual(await changes(id), []);
    assert.deepEqual(await changes(none), []);
    const from = await node.rpc("eth_newFilter", [{ address, fromBlock: "0x0", toBlock: "latest" }]);
    assert.deepEqual(await changes(from), []); // only what is new
    assert.equal((await node.rpc("eth_getFilterLogs", [from])).at(-1).transactionHash, hash);
    assert.equal(await node.rpc("eth_uninstallFilter", [id]), true);
    assert.equal(await node.rpc("eth_uninstallFilter", [id]), false);
    for (const gone of [id, "0x1", "nonsense"]) {
      const { error } = await node.call("eth_getFilterChanges", [gone]);
      assert.deepEqual([error.code, error.message], [-32000, "filter not found"]);
    }
    const blocks = await node.rpc("eth_newBlockFilter");
    assert.equal((await node.call("eth_getFilterLogs", [blocks])).error.message, "filter not found");
  });

  await check("filters: what is refused", async () => {
    const error = async (...params) => {
      const { error } = await node.call("eth_newFilter", params);
      return `${error.code} ${error.message}`;
    };
    assert.equal(await error(), "-32602 missing value for required argument 0");
    assert.equal(await error({ fromBlock: "0x5", toBlock: "0x4" }), "-32602 invalid block range params");
    assert.equal(await error({ fromBlock: "pending" }), "-32602 pending logs are not supported");
    assert.equal(await error({ topics: [[], [], [], [], []] }), "-32602 exceed max topics");
  });

  await check("filters: blocks that two polls share out come once", async () => {
    const id = await node.rpc("eth_newBlockFilter");
    const sent = [];
    for (let i = 0; i < 30; i++) sent.push(send());
    const polls = [];
    for (let i = 0; i < 20; i++) polls.push(changes(id), changes(id));
    const got = (await Promise.all(polls)).flat();
    await Promise.all(sent);
    got.push(...(await changes(id)));
    assert.equal(new Set(got).size, got.length);
    assert.equal(got.at(-1), (await node.rpc("eth_getBlockByNumber", ["latest", false])).hash);
  });

  await check("filters: ethers' events over HTTP, contract, block, pending", async () => {
    const provider = new JsonRpcProvider(node.url, undefined, { pollingInterval: 20, cacheTimeout: -1, polling: false });
    const bob = new NonceManager(new Wallet(bobKey.key, provider));
    const coin = await (await new ContractFactory(abi, bytecode, bob).deploy(bobKey.address)).waitForDeployment();
    const watched = new Contract(await coin.getAddress(), abi, provider);
    const seen = collect();
    await watched.on("Transfer", (from, to, value) => seen.add(value));
    const blocks = collect();
    await provider.on("block", blocks.add);
    const pending = collect();
    await provider.on("pending", pending.add);
    let value = 0n;
    await seen.until(async () => {
      await (await coin.mint(bobKey.address, ++value)).wait();
      return seen.items.length >= 3 && blocks.items.length >= 1 && pending.items.length >= 1;
    });
    assert.ok(seen.items.every((v, i) => i === 0 || v === seen.items[i - 1] + 1n), "each mint once, in order");
    await watched.removeAllListeners();
    await provider.removeAllListeners();
    await provider.getBlockNumber(); // what it had begun is over
    provider.destroy();
  });

  await node.stop();
}
