// An unmodified web3.js 4: the three token standards, events over HTTP and WebSocket, fifty sends, a speed-up, its own errors.
// It knows no transactions of type 4 by itself; web3_set_code.mjs adds them the way that web3 provides for.
import { Web3 } from "web3";
import { ContractExecutionError, Eip838ExecutionError, InvalidResponseError, RpcError, TransactionRevertInstructionError } from "web3-errors";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts } from "../lib/node.mjs";
import { assert, check } from "../lib/suite.mjs";
import { collect } from "../lib/wait.mjs";
import { provoke } from "./errors.mjs";
import { feature } from "./matrix.mjs";
import { plain, tokens } from "./tokens.mjs";
import { SetCodePlugin } from "./web3_set_code.mjs";

const FEATURE = (ids, name, fn) => feature("web3", ids, name, fn);

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

  await tokens("web3", {
    deploy,
    send: (c, method, args) => c.methods[method](...args).send({ from: alice }),
    read: async (c, method, args) => plain(await c.methods[method](...args).call()),
    alice,
    bob,
  });
  const coin = await deploy("Coin");
  await FEATURE(["http", "custom"], "ERC-20 mint, transfer, events, custom error and reason", async () => {
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

  await FEATURE(["ws"], "ERC-721 mint, transfer, events over WebSocket", async () => {
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

  await FEATURE(["fifty"], "Promise.all of fifty sends from one account", async () => {
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
  await FEATURE(["speedup"], "a waiting transaction is sped up", async () => {
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

  await FEATURE(["delegation"], "a delegation (EIP-7702) through a registered transaction type", async () => {
    const logic = await deploy("Account", []);
    web3.registerPlugin(new SetCodePlugin());
    const key = (address) => keys.find((k) => k.address === address.toLowerCase()).key;
    const nonce = await web3.eth.getTransactionCount(bob);
    // bob sends it himself: his nonce has moved when the authorization is looked at
    const authorization = web3.setCode.authorize({ chainId: node.chainId, address: logic.options.address, nonce: nonce + 1n }, key(bob));
    const raw = web3.setCode.sign(
      { chainId: node.chainId, nonce, to: alice, gasLimit: 100000n, maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 0n, authorizationList: [authorization] },
      key(bob),
    );
    const receipt = await web3.eth.sendSignedTransaction(raw, undefined, { checkRevertBeforeSending: false });
    assert.equal(receipt.status, 1n);
    assert.equal(receipt.type, 4n);
    assert.equal(await web3.eth.getCode(bob), `0xef0100${logic.options.address.slice(2).toLowerCase()}`);
    const asked = new web3.eth.Contract(contract("Account").abi, bob);
    const notHim = await failure(asked.methods.execute([], []).call({ from: carol }));
    assert.equal(notHim.cause.errorName, "NotTheAccount");
  });

  await FEATURE(["errors"], "each error of the table is its own type with the node's text", () =>
    provoke("web3", {
      async ask(made) {
        const ask = (typed) => {
          const { requestManager } = new Web3(made.node.url);
          requestManager.useRpcCallSpecification = typed;
          return requestManager.send({ method: made.method, params: made.params });
        };
        const e = await failure(ask(true));
        // Its types by code have lost the node's text, which its other way of telling has.
        const told = e instanceof RpcError ? await failure(ask(false)) : e;
        throw Object.assign(e, { told });
      },
      typesOf: (e) => [e.constructor.name],
      textOf: (e) => JSON.stringify([e.told.message, e.told.cause?.message, e.told.data, e.told.innerError?.message]),
    }),
  );
  await FEATURE(["errors", "custom"], "its own checks before sending, and a revert on the chain", async () => {
    const nonce = await web3.eth.getTransactionCount(alice);
    const small = await failure(signed(alice, { nonce, gas: 20999n }));
    assert.equal(small.name, "TransactionSigningError"); // it counts intrinsic gas itself
    const { rawTransaction } = await signed(alice, { nonce: 0n });
    const low = await failure(web3.eth.sendSignedTransaction(rawTransaction, undefined, { checkRevertBeforeSending: false }));
    assert.ok(low instanceof InvalidResponseError, low.name);
    assert.match(low.message, /nonce too low: next nonce/);
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
  });

  await node.stop();
}
