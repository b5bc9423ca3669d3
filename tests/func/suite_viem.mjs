// An unmodified viem: deploys OpenZeppelin's ERC-20 and ERC-1155, mints, transfers, reads balances and events, sees reverts.
import {
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  createWalletClient,
  http,
  keccak256,
  parseEther,
  parseEventLogs,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { contract } from "./lib/compile.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { chainOf } from "./lib/viem.mjs";
import { WAIT_MS } from "./lib/wait.mjs";

export async function run() {
  const node = await Node.start();
  const keys = devAccounts(node);
  const chain = chainOf(node);
  const transport = http(node.url, { retryCount: 0 });
  const client = createPublicClient({ chain, transport, pollingInterval: 20, cacheTime: 0 });
  const [alice, bob] = keys.map((k) => privateKeyToAccount(k.key));
  const wallet = createWalletClient({ chain, transport, account: alice });
  const send = async (request) => client.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
  const revertOf = async (promise) => {
    const e = await promise.then(
      () => assert.fail("did not revert"),
      (x) => x,
    );
    assert.ok(e instanceof BaseError, String(e));
    const reverted = e.walk((x) => x instanceof ContractFunctionRevertedError);
    assert.ok(reverted, e.message);
    return reverted;
  };

  await check("viem: ten funded accounts", async () => {
    assert.equal(keys.length, 10);
    for (const k of keys) {
      assert.equal(privateKeyToAccount(k.key).address.toLowerCase(), k.address);
      assert.equal(await client.getBalance({ address: k.address }), parseEther("10000"));
    }
    assert.equal(await client.getChainId(), 41337);
  });

  await check("viem: transfer of ether, receipt at once", async () => {
    const to = "0x00000000000000000000000000000000000c0ffe";
    const hash = await wallet.sendTransaction({ to, value: parseEther("1.5") });
    const receipt = await client.getTransactionReceipt({ hash }); // durable when the hash came: no waiting
    assert.equal(receipt.status, "success");
    assert.equal(receipt.gasUsed, 21000n);
    assert.equal(await client.getBalance({ address: to }), parseEther("1.5"));
    const tx = await client.getTransaction({ hash });
    assert.equal(tx.blockHash, receipt.blockHash);
    assert.equal(tx.from.toLowerCase(), alice.address.toLowerCase());
    assert.equal(keccak256(await client.request({ method: "eth_getRawTransactionByHash", params: [hash] })), hash);
  });

  for (const type of ["legacy", "eip2930", "eip1559"])
    await check(`viem: transaction of type ${type}`, async () => {
      const request = { to: bob.address, value: 1n, type, ...(type === "eip2930" ? { accessList: [] } : {}) };
      const receipt = await client.waitForTransactionReceipt({ hash: await wallet.sendTransaction(request) });
      assert.equal(receipt.status, "success");
      assert.equal(receipt.type, type);
    });

  const deploy = async (name) => {
    const c = contract(name);
    const hash = await wallet.deployContract({ ...c, args: [alice.address] });
    const receipt = await client.waitForTransactionReceipt({ hash });
    assert.equal(receipt.status, "success");
    assert.ok((await client.getCode({ address: receipt.contractAddress })).length > 2);
    return { address: receipt.contractAddress, abi: c.abi };
  };

  const coin = await check("viem: deploys an ERC-20", () => deploy("Coin"));
  if (coin) {
    const read = (functionName, args = []) => client.readContract({ ...coin, functionName, args });
    await check("viem: ERC-20 mint, transfer, balances and events", async () => {
      assert.equal(await read("name"), "Coin");
      const minted = await send({ ...coin, functionName: "mint", args: [alice.address, parseEther("500")] });
      const moved = await send({ ...coin, functionName: "transfer", args: [bob.address, parseEther("120")] });
      assert.equal(await read("balanceOf", [alice.address]), parseEther("380"));
      assert.equal(await read("balanceOf", [bob.address]), parseEther("120"));
      assert.equal(await read("totalSupply"), parseEther("500"));
      const [event] = parseEventLogs({ abi: coin.abi, logs: moved.logs, eventName: "Transfer" });
      assert.equal(event.args.to, bob.address);
      assert.equal(event.args.value, parseEther("120"));
      const all = await client.getContractEvents({ ...coin, eventName: "Transfer", fromBlock: 0n, toBlock: "latest" });
      assert.deepEqual(
        all.map((l) => l.transactionHash),
        [minted.transactionHash, moved.transactionHash],
      );
      const toBob = await client.getContractEvents({
        ...coin,
        eventName: "Transfer",
        args: { to: bob.address },
        fromBlock: 0n,
      });
      assert.equal(toBob.length, 1);
      assert.equal(toBob[0].blockHash, moved.blockHash);
      const before = await client.readContract({
        ...coin,
        functionName: "balanceOf",
        args: [bob.address],
        blockNumber: minted.blockNumber,
      });
      assert.equal(before, 0n); // state of an older block
    });
    await check("viem: decoded custom error, reason and panic", async () => {
      const capped = await revertOf(
        client.simulateContract({
          ...coin,
          functionName: "mint",
          args: [alice.address, parseEther("1000000")],
          account: alice,
        }),
      );
      assert.equal(capped.data.errorName, "AboveCap");
      assert.equal(capped.data.args[1], parseEther("1000000"));
      const notOwner = await revertOf(
        client.simulateContract({ ...coin, functionName: "mint", args: [bob.address, 1n], account: bob }),
      );
      assert.equal(notOwner.data.errorName, "OwnableUnauthorizedAccount");
      assert.equal((await revertOf(read("fail", ["so it is"]))).reason, "so it is");
      assert.match((await revertOf(read("panic", [7n]))).message, /out-of-bounds|out of bounds/i);
    });
    await check("viem: a reverting transaction has a receipt with status 0", async () => {
      const hash = await wallet.writeContract({
        ...coin,
        functionName: "fail",
        args: ["x"],
        gas: 100000n,
      });
      const receipt = await client.waitForTransactionReceipt({ hash });
      assert.equal(receipt.status, "reverted");
      assert.equal(receipt.logs.length, 0);
    });
  }

  const items = await check("viem: deploys an ERC-1155", () => deploy("Items"));
  if (items) {
    const balance = (who, id) => client.readContract({ ...items, functionName: "balanceOf", args: [who, id] });
    await check("viem: ERC-1155 mint, batch mint, transfer, balances and events", async () => {
      await send({ ...items, functionName: "mint", args: [alice.address, 1n, 10n] });
      const ids = Array.from({ length: 50 }, (_, i) => BigInt(i + 2));
      const batch = await send({ ...items, functionName: "mintBatch", args: [alice.address, ids, ids] });
      const [event] = parseEventLogs({ abi: items.abi, logs: batch.logs, eventName: "TransferBatch" });
      assert.deepEqual(event.args.ids, ids);
      await send({
        ...items,
        functionName: "safeTransferFrom",
        args: [alice.address, bob.address, 51n, 20n, "0x"],
      });
      assert.equal(await balance(alice.address, 51n), 31n);
      assert.equal(await balance(bob.address, 51n), 20n);
      const singles = await client.getContractEvents({ ...items, eventName: "TransferSingle", fromBlock: 0n });
      assert.equal(singles.length, 2);
    });
  }

  await check("viem: fifty sends at once from one account", async () => {
    const nonce = await client.getTransactionCount({ address: alice.address, blockTag: "pending" });
    const hashes = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        wallet.sendTransaction({ to: bob.address, value: 1n, nonce: nonce + i, gas: 21000n }),
      ),
    );
    const receipts = await Promise.all(hashes.map((hash) => client.waitForTransactionReceipt({ hash })));
    assert.ok(receipts.every((r) => r.status === "success"));
    assert.equal(await client.getTransactionCount({ address: alice.address }), nonce + 50);
  });

  await check("viem: a nonce gap waits and is filled", async () => {
    const nonce = await client.getTransactionCount({ address: bob.address });
    const bobs = createWalletClient({ chain, transport, account: bob });
    const later = await bobs.sendTransaction({ to: alice.address, value: 1n, nonce: nonce + 1, gas: 21000n });
    const waiting = await client.getTransaction({ hash: later });
    assert.equal(waiting.blockNumber, null);
    const first = await bobs.sendTransaction({ to: alice.address, value: 1n, nonce, gas: 21000n });
    const [a, b] = await Promise.all(
      [first, later].map((hash) => client.waitForTransactionReceipt({ hash, timeout: WAIT_MS })),
    );
    assert.ok(a.blockNumber <= b.blockNumber);
  });

  await check("viem: a delegation (EIP-7702)", async () => {
    const fresh = privateKeyToAccount(keccak256("0x0123"));
    const authorization = await fresh.signAuthorization({ contractAddress: coin.address, chainId: chain.id, nonce: 0 });
    const hash = await wallet.sendTransaction({ authorizationList: [authorization], to: fresh.address, gas: 200000n });
    assert.equal((await client.waitForTransactionReceipt({ hash })).type, "eip7702");
    assert.equal(await client.getCode({ address: fresh.address }), `0xef0100${coin.address.slice(2)}`);
    const tx = await client.getTransaction({ hash });
    assert.equal(tx.authorizationList.length, 1);
  });

  await check("viem: fee history, gas price, proof", async () => {
    const history = await client.getFeeHistory({ blockCount: 4, rewardPercentiles: [20] });
    assert.equal(history.baseFeePerGas.length, 5);
    assert.equal(history.reward.length, 4);
    const fees = await client.estimateFeesPerGas();
    assert.ok(fees.maxFeePerGas >= (await client.getGasPrice()));
    const proof = await client.getProof({ address: alice.address, storageKeys: [] });
    const block = await client.getBlock({ blockTag: "latest" });
    assert.equal(proof.balance, await client.getBalance({ address: alice.address }));
    assert.equal(keccak256(proof.accountProof[0]), block.stateRoot);
  });

  await check("viem: errors of sending come as its own types", async () => {
    const nonce = await client.getTransactionCount({ address: alice.address });
    const attempt = (request) =>
      wallet.sendTransaction({ to: bob.address, value: 1n, gas: 21000n, ...request }).then(
        () => "sent",
        (e) => e.walk((x) => x.name?.endsWith("Error") && x !== e)?.name ?? e.name,
      );
    assert.equal(await attempt({ nonce: nonce - 1 }), "NonceTooLowError");
    assert.equal(await attempt({ value: parseEther("1000000") }), "InsufficientFundsError");
    assert.equal(await attempt({ maxFeePerGas: 1n, maxPriorityFeePerGas: 0n }), "FeeCapTooLowError");
    assert.equal(await attempt({ gas: 20000n }), "IntrinsicGasTooLowError");
  });

  await check("viem: stops cleanly and at once", async () => {
    const end = await node.stop();
    assert.equal(end.code, 0);
    assert.ok(end.isPrompt, `${end.ms} ms`);
  });
}
