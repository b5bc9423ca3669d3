// ethers beyond the small suite: ERC-721, ERC-1155, WebSocket events, a speed-up, a delegation, every error as ethers' own code.
import {
  ContractFactory,
  FetchRequest,
  JsonRpcProvider,
  Transaction,
  Wallet,
  WebSocketProvider,
  ZeroAddress,
  isError,
  parseEther,
  parseUnits,
} from "ethers";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts } from "../lib/node.mjs";
import { assert } from "../lib/suite.mjs";
import { WAIT_MS, collect } from "../lib/wait.mjs";
import { provoke } from "./errors.mjs";
import { feature } from "./matrix.mjs";
import { plain, tokens } from "./tokens.mjs";

const FEATURE = (ids, name, fn) => feature("ethers", ids, name, fn);

const gwei = (x) => parseUnits(x, "gwei");

export async function run() {
  const node = await Node.start();
  const keys = devAccounts(node);
  const provider = new JsonRpcProvider(node.url, undefined, { pollingInterval: 20, cacheTimeout: -1 });
  const [alice, bob, carol] = keys.map((k) => new Wallet(k.key, provider));
  const deploy = async (name, args = [alice.address]) => {
    const { abi, bytecode } = contract(name);
    return (await new ContractFactory(abi, bytecode, alice).deploy(...args)).waitForDeployment();
  };

  await tokens("ethers", {
    deploy,
    send: async (c, method, args) => assert.equal((await (await c[method](...args)).wait()).status, 1),
    read: async (c, method, args) => plain(await c[method](...args)),
    alice: alice.address,
    bob: bob.address,
  });
  const deeds = await deploy("Deeds");
  await FEATURE(["http", "ws", "custom"], "ERC-721 mint, transfer, events over HTTP and WebSocket, custom error", async () => {
    const ws = new WebSocketProvider(`ws://${node.address}`);
    const [polled, pushed] = [collect(), collect()];
    await deeds.on("Transfer", (from, to, id) => polled.add([from, to, id]));
    await deeds.connect(ws).on("Transfer", (from, to, id) => pushed.add([from, to, id]));
    await ws.getBlockNumber();
    await (await deeds.mint(alice.address, 7n)).wait();
    await (await deeds.transferFrom(alice.address, bob.address, 7n)).wait();
    const want = [
      [ZeroAddress, alice.address, 7n],
      [alice.address, bob.address, 7n],
    ];
    for (const c of [polled, pushed]) {
      await c.until(() => c.items.length === 2);
      assert.deepEqual(c.items, want);
    }
    await deeds.removeAllListeners();
    await ws.destroy();
    assert.equal(await deeds.ownerOf(7n), bob.address);
    await assert.rejects(deeds.ownerOf(8n), (e) => isError(e, "CALL_EXCEPTION") && e.revert.name === "ERC721NonexistentToken" && e.revert.args[0] === 8n);
  });
  await FEATURE(["custom"], "a reverted transaction's wait() is a CALL_EXCEPTION with its receipt", async () => {
    const tx = await deeds.connect(bob).mint(bob.address, 9n, { gasLimit: 200000n });
    await assert.rejects(tx.wait(), (e) => isError(e, "CALL_EXCEPTION") && e.receipt.status === 0);
  });
  await FEATURE(["fifty"], "Promise.all of fifty sends from one account", async () => {
    const nonce = await carol.getNonce();
    const sent = await Promise.all(
      Array.from({ length: 50 }, (_, i) => carol.sendTransaction({ to: bob.address, value: 1n, nonce: nonce + i })),
    );
    const receipts = await Promise.all(sent.map((t) => t.wait()));
    assert.ok(receipts.every((r) => r.status === 1));
    assert.equal(await carol.getNonce(), nonce + 50);
  });

  await FEATURE(["speedup"], "a waiting transaction is sped up: TRANSACTION_REPLACED, repriced", async () => {
    const nonce = await bob.getNonce();
    const request = { to: alice.address, value: 3n, nonce: nonce + 1, gasLimit: 21000n, type: 2 };
    const slow = await bob.sendTransaction({ ...request, maxFeePerGas: gwei("1"), maxPriorityFeePerGas: gwei("0.1") });
    const waiting = slow.wait(1, WAIT_MS).then(
      () => "no replacement",
      (e) => e,
    );
    const fast = await bob.sendTransaction({ ...request, maxFeePerGas: gwei("2"), maxPriorityFeePerGas: gwei("0.2") });
    await (await bob.sendTransaction({ to: alice.address, nonce, gasLimit: 21000n })).wait();
    assert.equal((await fast.wait()).status, 1);
    const e = await waiting;
    assert.ok(isError(e, "TRANSACTION_REPLACED"), String(e));
    assert.equal(e.reason, "repriced");
    assert.equal(e.receipt.hash, fast.hash);
  });
  await FEATURE(["delegation"], "a delegation (EIP-7702)", async () => {
    const logic = await deploy("Account", []);
    const fresh = new Wallet(`0x${"5e".repeat(32)}`, provider);
    const auth = await fresh.authorize({ address: await logic.getAddress(), nonce: 0, chainId: node.chainId });
    const tx = await alice.sendTransaction({ type: 4, to: bob.address, authorizationList: [auth], value: 0n, gasLimit: 100000n });
    assert.equal((await tx.wait()).type, 4);
    assert.equal(await provider.getCode(fresh.address), `0xef0100${(await logic.getAddress()).slice(2).toLowerCase()}`);
    const read = await provider.getTransaction(tx.hash);
    assert.equal(read.authorizationList[0].address, await logic.getAddress());
    const asked = logic.attach(fresh.address).connect(bob);
    await assert.rejects(asked.execute([], []), (e) => isError(e, "CALL_EXCEPTION") && logic.interface.parseError(e.data).name === "NotTheAccount");
  });

  await FEATURE(["errors"], "each error of the table is its own code", () =>
    provoke("ethers", {
      async ask(made) {
        const request = new FetchRequest(made.node.url);
        request.setThrottleParams({ maxAttempts: 1 }); // else a full queue is asked again for minutes
        const there = new JsonRpcProvider(request, made.node.chainId, { staticNetwork: true });
        try {
          return made.method === "eth_sendRawTransaction" && isEnvelope(made.params[0])
            ? await there.broadcastTransaction(made.params[0])
            : await there.send(made.method, made.params);
        } finally {
          there.destroy();
        }
      },
      typesOf: (e) => [e.code],
      textOf: (e) => JSON.stringify([e.message, e.info, e.error]),
    }),
  );
  await FEATURE(["custom", "errors"], "reverts with arguments, reasons and panics decoded; an account without funds", async () => {
    const poor = new Wallet(`0x${"77".repeat(32)}`, provider);
    await assert.rejects(poor.sendTransaction({ to: bob.address, value: 1n }), (e) => isError(e, "INSUFFICIENT_FUNDS"));
    const coin = await deploy("Coin");
    await assert.rejects(coin.mint(alice.address, parseEther("1000001")), (e) => {
      assert.equal(e.code, "CALL_EXCEPTION");
      const parsed = coin.interface.parseError(e.data);
      return parsed.name === "AboveCap" && parsed.args[1] === parseEther("1000000");
    });
    await assert.rejects(coin.fail.staticCall("so it is"), (e) => e.code === "CALL_EXCEPTION" && e.reason === "so it is");
    await assert.rejects(coin.panic.staticCall(7n), (e) => e.code === "CALL_EXCEPTION" && e.revert.name === "Panic" && Number(e.revert.args[0]) === 0x32);
  });

  provider.destroy();
  await node.stop();
}

/** Whether ethers can read it, which it does before it sends. */
function isEnvelope(raw) {
  try {
    return Transaction.from(raw).hash !== null;
  } catch {
    return false;
  }
}
