// Runs inside Hardhat: only its own provider is used, ethers' interface encodes and decodes.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Interface, Wallet } from "ethers";
import hre from "hardhat";

const { provider } = await hre.network.connect();
const ask = (method, ...params) => provider.request({ method, params });
const [alice, bob, carol] = await ask("eth_accounts");
const hex = (n) => `0x${n.toString(16)}`;

async function receiptOf(hash) {
  for (let i = 0; i < 200; i++) {
    const receipt = await ask("eth_getTransactionReceipt", hash);
    if (receipt) return receipt;
  }
  throw new Error(`no receipt of ${hash}`);
}
const send = async (request) => receiptOf(await ask("eth_sendTransaction", { from: alice, ...request }));
const failure = (promise) =>
  promise.then(
    () => assert.fail("did not fail"),
    (e) => e,
  );

async function deploy(file, name, args = [alice]) {
  const artifact = JSON.parse(readFileSync(`artifacts/contracts/${file}.sol/${name}.json`));
  const abi = new Interface(artifact.abi);
  const receipt = await send({ data: artifact.bytecode + abi.encodeDeploy(args).slice(2) });
  assert.equal(receipt.status, "0x1");
  const to = receipt.contractAddress;
  return {
    abi,
    to,
    send: (method, ...args) => send({ to, data: abi.encodeFunctionData(method, args) }),
    call: async (method, ...args) =>
      abi.decodeFunctionResult(method, await ask("eth_call", { to, data: abi.encodeFunctionData(method, args) }, "latest"))[0],
  };
}

const coin = await deploy("Tokens", "Coin");
await coin.send("mint", alice, 1000n);
const moved = await coin.send("transfer", bob, 300n);
assert.equal(await coin.call("balanceOf", bob), 300n);
const [event] = await ask("eth_getLogs", { address: coin.to, fromBlock: moved.blockNumber, toBlock: "latest" });
assert.equal(coin.abi.parseLog(event).args.value, 300n);

const filter = await ask("eth_newFilter", { address: coin.to, topics: [coin.abi.getEvent("Transfer").topicHash] });
await coin.send("transfer", carol, 5n);
const polled = await ask("eth_getFilterChanges", filter);
assert.equal(polled.length, 1);
assert.equal(coin.abi.parseLog(polled[0]).args.value, 5n);
assert.equal(await ask("eth_uninstallFilter", filter), true);

const deeds = await deploy("Deeds", "Deeds");
await deeds.send("mint", alice, 5n);
await deeds.send("transferFrom", alice, bob, 5n);
assert.equal((await deeds.call("ownerOf", 5n)).toLowerCase(), bob.toLowerCase());

const items = await deploy("Tokens", "Items");
const ids = Array.from({ length: 50 }, (_, i) => BigInt(i + 1));
await items.send("mint", alice, 77n, 5n);
await items.send("mintBatch", alice, ids, ids);
await items.send("safeTransferFrom", alice, bob, 50n, 20n, "0x");
assert.equal(await items.call("balanceOf", bob, 50n), 20n);

const nonce = Number(await ask("eth_getTransactionCount", carol, "pending"));
const hashes = await Promise.all(
  Array.from({ length: 50 }, (_, i) =>
    ask("eth_sendTransaction", { from: carol, to: bob, value: "0x1", gas: hex(21000), nonce: hex(nonce + i) }),
  ),
);
for (const hash of hashes) assert.equal((await receiptOf(hash)).status, "0x1");

const fees = (gwei) => ({ maxFeePerGas: hex(gwei * 1000000000), maxPriorityFeePerGas: hex(gwei * 100000000) });
const waiting = { from: carol, to: bob, gas: hex(21000), nonce: hex(nonce + 51) };
await ask("eth_sendTransaction", { ...waiting, ...fees(1) });
const underpriced = await failure(ask("eth_sendTransaction", { ...waiting, ...fees(1), value: "0x2" }));
assert.equal(underpriced.name, "ProviderError");
assert.match(underpriced.message, /replacement transaction underpriced/);
const fast = await ask("eth_sendTransaction", { ...waiting, ...fees(2) });
await send({ from: carol, to: bob, gas: hex(21000), nonce: hex(nonce + 50) });
assert.equal((await receiptOf(fast)).status, "0x1");

const reverted = await failure(coin.send("mint", alice, 2n * 10n ** 24n));
assert.equal(reverted.name, "ProviderError");
assert.equal(reverted.code, 3);
assert.equal(coin.abi.parseError(typeof reverted.data === "string" ? reverted.data : reverted.data.data).name, "AboveCap");
for (const [request, text] of [
  [{ value: hex(10n ** 24n) }, /insufficient funds for gas \* price \+ value/],
  [{ nonce: "0x0" }, /nonce too low: next nonce/],
  [{ gas: hex(20000) }, /intrinsic gas too low/],
  [{ maxFeePerGas: "0x1", maxPriorityFeePerGas: "0x0" }, /max fee per gas less than block base fee/],
]) {
  const refused = await failure(ask("eth_sendTransaction", { from: alice, to: bob, gas: hex(21000), ...request }));
  assert.equal(refused.name, "ProviderError");
  assert.equal(refused.code, -32000);
  assert.match(refused.message, text);
}

// EIP-7702: somebody signs an authorization, alice's transaction of type 4 carries it
const logic = await deploy("Deeds", "Account", []);
const signer = Wallet.createRandom();
const { address, nonce: authNonce, chainId, signature } = await signer.authorize({
  address: logic.to,
  nonce: 0,
  chainId: Number(await ask("eth_chainId")),
});
const authorization = { chainId: hex(chainId), address, nonce: hex(authNonce), yParity: hex(signature.yParity), r: signature.r, s: signature.s };
const set = await send({ to: carol, gas: hex(100000), authorizationList: [authorization], ...fees(2) });
assert.equal(set.type, "0x4");
assert.equal(await ask("eth_getCode", signer.address, "latest"), `0xef0100${logic.to.slice(2).toLowerCase()}`);
const notHim = await failure(ask("eth_call", { from: carol, to: signer.address, data: logic.abi.encodeFunctionData("execute", [[], []]) }, "latest"));
assert.equal(logic.abi.parseError(typeof notHim.data === "string" ? notHim.data : notHim.data.data).name, "NotTheAccount");
console.log("all as expected");
