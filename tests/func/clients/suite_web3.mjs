// An unmodified web3.js 4: the three token standards, events over HTTP and WebSocket, fifty sends, a speed-up, its own errors.
// It knows no transactions of type 4.
import { Web3 } from "web3";
import { ContractExecutionError, Eip838ExecutionError, InvalidResponseError, TransactionRevertInstructionError } from "web3-errors";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts } from "../lib/node.mjs";
import { assert, check } from "../lib/suite.mjs";
import { collect } from "../lib/wait.mjs";

export async function run() {
  const node = await Node.start();
  const web3 = new Web3(node.url);
  const keys = devAccounts(node);
  for (const k of keys) web3.eth.accounts.wallet.add(k.key);
  const [alice, bob, carol] = web3.eth.accounts.wallet.map((a) => a.address);
  web3.eth.transactionPollingInterval = 20;
  web3.eth.transactionReceiptPollingInterval = 20;
  web3.eth.transactionConfirmationBlocks = 1; // else each transaction is polled for until 24 blocks have come

  const deploy = (name, args = [alice]) => {
    const { abi, bytecode } = contract(name);
    return new web3.eth.Contract(abi, undefined, { from: alice }).deploy({ data: bytecode, arguments: args }).send({ from: alice });
  };
  const failure = (promise) =>
    Promise.resolve(promise).then(
      () => assert.fail("did not fail"),
      (e) => e,
    );

  await check("web3: network, block, balance, fees", async () => {
    assert.equal(await web3.eth.getChainId(), 41337n);
    assert.equal(await web3.eth.net.getId(), 41337n);
    assert.equal(await web3.eth.getBalance(alice), 10n ** 22n);
    assert.equal((await web3.eth.getBlock("latest")).number, 0n);
    assert.ok((await web3.eth.getGasPrice()) > 0n);
    assert.equal(await web3.eth.isSyncing(), false);
  });

  const coin = await check("web3: deploys an ERC-20", () => deploy("Coin"));
  await check("web3: ERC-20 mint, transfer, events, custom error and reason", async () => {
    await coin.methods.mint(alice, 1000n).send({ from: alice });
    const receipt = await coin.methods.transfer(bob, 300n).send({ from: alice });
    assert.equal(receipt.events.Transfer.returnValues.value, 300n);
    assert.equal(await coin.methods.balanceOf(bob).call(), 300n);
    const events = await coin.getPastEvents("Transfer", { filter: { to: bob }, fromBlock: 0 });
    assert.equal(events.length, 1);
    assert.equal(events[0].blockHash, receipt.blockHash);
    const notOwner = await failure(coin.methods.mint(bob, 1n).call({ from: bob }));
    assert.ok(notOwner instanceof ContractExecutionError, notOwner.name);
    assert.ok(notOwner.cause instanceof Eip838ExecutionError, notOwner.cause?.name);
    assert.equal(notOwner.cause.errorName, "OwnableUnauthorizedAccount");
    assert.equal(notOwner.cause.errorArgs.account, bob);
    const reason = await failure(coin.methods.fail("so it is").call());
    assert.equal(reason.cause.errorName, "Error");
    assert.equal(reason.cause.errorArgs.message, "so it is");
  });

  await check("web3: ERC-721 mint, transfer, events over WebSocket", async () => {
    const deeds = await deploy("Deeds");
    const ws = new Web3(`ws://${node.address}`);
    const seen = collect();
    const listener = new ws.eth.Contract(contract("Deeds").abi, deeds.options.address).events.Transfer();
    listener.on("data", (e) => seen.add(e.returnValues));
    listener.on("error", seen.fail);
    await new Promise((resolve) => listener.on("connected", resolve));
    await deeds.methods.mint(alice, 4n).send({ from: alice });
    await deeds.methods.safeTransferFrom(alice, bob, 4n).send({ from: alice });
    await seen.until(() => seen.items.length === 2);
    assert.deepEqual(
      seen.items.map((r) => [r.from, r.to, r.tokenId]),
      [
        ["0x0000000000000000000000000000000000000000", alice, 4n],
        [alice, bob, 4n],
      ],
    );
    assert.equal(await deeds.methods.ownerOf(4n).call(), bob);
    await listener.unsubscribe();
    ws.currentProvider.disconnect();
  });

  await check("web3: ERC-1155 mint, batch mint, transfer", async () => {
    const items = await deploy("Items");
    const ids = Array.from({ length: 50 }, (_, i) => BigInt(i + 1));
    await items.methods.mint(alice, 1n, 5n).send({ from: alice });
    const receipt = await items.methods.mintBatch(alice, ids, ids).send({ from: alice });
    assert.deepEqual(receipt.events.TransferBatch.returnValues.ids, ids);
    await items.methods.safeTransferFrom(alice, bob, 50n, 20n, "0x").send({ from: alice });
    assert.equal(await items.methods.balanceOf(bob, 50n).call(), 20n);
  });

  await check("web3: Promise.all of fifty sends from one account", async () => {
    const nonce = await web3.eth.getTransactionCount(carol, "pending");
    const receipts = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        web3.eth.sendTransaction({ from: carol, to: bob, value: 1n, gas: 21000n, nonce: nonce + BigInt(i) }),
      ),
    );
    assert.ok(receipts.every((r) => r.status === 1n));
    assert.equal(await web3.eth.getTransactionCount(carol), nonce + 50n);
  });

  const signed = (account, request) => {
    const key = keys.find((k) => k.address === account.toLowerCase()).key;
    return web3.eth.accounts.signTransaction(
      { to: bob, value: 1n, gas: 21000n, maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 10n ** 8n, chainId: node.chainId, ...request },
      key,
    );
  };
  await check("web3: a waiting transaction is sped up", async () => {
    const nonce = await web3.eth.getTransactionCount(bob);
    const slow = await signed(bob, { nonce: nonce + 1n });
    const fast = await signed(bob, { nonce: nonce + 1n, maxFeePerGas: 2n * 10n ** 9n, maxPriorityFeePerGas: 2n * 10n ** 8n });
    const hashOf = (s) =>
      new Promise((resolve, reject) => {
        const p = web3.eth.sendSignedTransaction(s.rawTransaction);
        p.on("transactionHash", resolve);
        p.on("error", reject);
        p.catch(() => {});
      });
    assert.equal(await hashOf(slow), slow.transactionHash);
    assert.equal((await web3.eth.getTransaction(slow.transactionHash)).blockNumber ?? null, null);
    const done = web3.eth.sendSignedTransaction(fast.rawTransaction);
    await new Promise((resolve) => done.on("transactionHash", resolve));
    await web3.eth.sendSignedTransaction((await signed(bob, { nonce })).rawTransaction);
    assert.equal((await done).status, 1n);
    const gone = await failure(web3.eth.getTransaction(slow.transactionHash));
    assert.equal(gone.name, "TransactionNotFound");
  });

  await check("web3: each error of sending is its own type with the node's text", async () => {
    const nonce = await web3.eth.getTransactionCount(alice);
    const ends = async (request) => {
      const { rawTransaction } = await signed(alice, { nonce, ...request });
      // Without its own eth_call first, so that the answer is that of sending.
      const e = await failure(web3.eth.sendSignedTransaction(rawTransaction, undefined, { checkRevertBeforeSending: false }));
      assert.ok(e instanceof InvalidResponseError, e.name);
      assert.equal(e.cause?.code ?? e.innerError?.code ?? -32000, -32000);
      return e.message;
    };
    assert.match(await ends({ nonce: nonce - 1n }), /nonce too low: next nonce/);
    assert.match(await ends({ value: 10n ** 24n }), /insufficient funds for gas \* price \+ value/);
    assert.match(await ends({ maxFeePerGas: 1n, maxPriorityFeePerGas: 0n }), /max fee per gas less than block base fee/);
    const small = await failure(signed(alice, { nonce, gas: 20999n }));
    assert.equal(small.name, "TransactionSigningError"); // it counts intrinsic gas itself
    assert.match(await ends({ chainId: 1 }), /invalid chain id for signer/);
    const first = web3.eth.sendSignedTransaction((await signed(alice, { nonce: nonce + 3n })).rawTransaction);
    first.catch(() => {});
    await new Promise((resolve) => first.on("transactionHash", resolve));
    assert.match(await ends({ nonce: nonce + 3n, value: 2n }), /replacement transaction underpriced/);
    for (let i = 0n; i < 3n; i++) await web3.eth.sendSignedTransaction((await signed(alice, { nonce: nonce + i })).rawTransaction);
    assert.equal((await first).status, 1n);
    coin.handleRevert = true; // it asks for the reason again, and knows no custom error there
    const reverted = await failure(coin.methods.mint(bob, 1n).send({ from: bob, gas: "200000" }));
    assert.ok(reverted instanceof TransactionRevertInstructionError, reverted.name);
    assert.equal(reverted.receipt.status, 0n);
    const poor = web3.eth.accounts.create();
    const before = await failure(
      web3.eth.sendSignedTransaction((await web3.eth.accounts.signTransaction({ to: bob, value: 1n, gas: 21000n, nonce: 0n, gasPrice: 10n ** 9n, chainId: node.chainId }, poor.privateKey)).rawTransaction),
    );
    assert.ok(before instanceof TransactionRevertInstructionError, before.name);
    assert.match(before.reason, /insufficient funds/);
    const noMethod = await failure(web3.eth.getWork());
    assert.match(`${noMethod.name} ${noMethod.message}`, /does not exist/);
  });

  await node.stop();
}
