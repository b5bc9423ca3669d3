// An unmodified ethers: contracts, events, typed errors, a batch.
import { ContractFactory, JsonRpcProvider, NonceManager, Wallet, isError, parseEther } from "ethers";
import { contract } from "./lib/compile.mjs";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

export async function run() {
  const node = await Node.start();
  const [aliceKey, bobKey] = devAccounts(node);
  const provider = new JsonRpcProvider(node.url, undefined, { pollingInterval: 20, cacheTimeout: -1 });
  const alice = new Wallet(aliceKey.key, provider);
  const bob = new Wallet(bobKey.key, provider);

  await check("ethers: network, block, balance", async () => {
    assert.equal((await provider.getNetwork()).chainId, 41337n);
    const block = await provider.getBlock("latest");
    assert.equal(block.number, 0);
    assert.equal(await provider.getBalance(alice.address), parseEther("10000"));
  });

  const coin = await check("ethers: deploys an ERC-20", async () => {
    const { abi, bytecode } = contract("Coin");
    const c = await new ContractFactory(abi, bytecode, alice).deploy(alice.address);
    return await c.waitForDeployment();
  });
  if (coin)
    await check("ethers: mint, transfer, events, custom error", async () => {
      await (await coin.mint(alice.address, 1000n)).wait();
      const receipt = await (await coin.transfer(bob.address, 300n)).wait();
      assert.equal(await coin.balanceOf(bob.address), 300n);
      const events = await coin.queryFilter(coin.filters.Transfer(null, bob.address), 0, "latest");
      assert.equal(events.length, 1);
      assert.equal(events[0].args.value, 300n);
      assert.equal(events[0].blockHash, receipt.blockHash);
      const notOwner = coin.connect(bob);
      await assert.rejects(notOwner.mint.staticCall(bob.address, 1n), (e) => {
        assert.ok(isError(e, "CALL_EXCEPTION"), e.code);
        assert.equal(e.revert?.name, "OwnableUnauthorizedAccount");
        return true;
      });
      await assert.rejects(notOwner.mint(bob.address, 1n), (e) => {
        assert.ok(isError(e, "CALL_EXCEPTION"), e.code); // at the estimate
        assert.equal(coin.interface.parseError(e.data).name, "OwnableUnauthorizedAccount");
        return true;
      });
      await assert.rejects(coin.fail("so it is"), (e) => e.reason === "so it is");
    });

  await check("ethers: twenty sends through a nonce manager", async () => {
    const manager = new NonceManager(bob);
    const sent = [];
    for (let i = 0; i < 20; i++) sent.push(await manager.sendTransaction({ to: alice.address, value: 1n }));
    const receipts = await Promise.all(sent.map((t) => t.wait()));
    assert.ok(receipts.every((r) => r.status === 1));
  });

  await check("ethers: errors of sending come as its own codes", async () => {
    const code = (request) =>
      alice.sendTransaction({ to: bob.address, gasLimit: 21000n, ...request }).then(
        () => "sent",
        (e) => e.code,
      );
    assert.equal(await code({ nonce: 0 }), "NONCE_EXPIRED");
    assert.equal(await code({ value: parseEther("1000000") }), "INSUFFICIENT_FUNDS");
    const nonce = await alice.getNonce();
    await alice.sendTransaction({ to: bob.address, gasLimit: 21000n, nonce: nonce + 1, maxFeePerGas: 10n ** 9n });
    assert.equal(
      await code({ nonce: nonce + 1, value: 1n, maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 0n }),
      "REPLACEMENT_UNDERPRICED",
    );
  });

  provider.destroy();
  await node.stop();
}
