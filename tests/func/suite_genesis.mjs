// Block 0 recomputed by a second implementation (lib/genesis.mjs, @ethereumjs/mpt), and the contracts that stand in it used by viem.
import { writeFileSync } from "node:fs";
import { concat, encodeFunctionData, getContractAddress, keccak256, recoverTransactionAddress, serializeTransaction } from "viem";
import { entryPoint07Abi, entryPoint07Address, entryPoint08Abi, entryPoint08Address } from "viem/account-abstraction";
import { getUserOperationHash, toPackedUserOperation } from "viem/account-abstraction";
import { mnemonicToAccount, privateKeyToAccount, sign } from "viem/accounts";
import { contract } from "./lib/compile.mjs";
import { genesisState, predeploys, stateRoot } from "./lib/genesis.mjs";
import { Node, devAccounts, tempDir } from "./lib/node.mjs";
import { factoryRuntime } from "./lib/registry.mjs";
import { assert, check } from "./lib/suite.mjs";
import { clients as viemClients } from "./lib/viem.mjs";

const word = (n) => "0x" + BigInt(n).toString(16).padStart(64, "0");
const quantity = (n) => "0x" + BigInt(n).toString(16);

/** The development chain as a genesis file would have it. */
function development() {
  const address = (addressIndex) => mnemonicToAccount("test test test test test test test test test test test junk", { addressIndex }).address;
  const alloc = {};
  for (let i = 0; i < 10; i++) alloc[address(i)] = { balance: quantity(10n ** 22n) };
  const callipter = { owners: [address(0)], networkFeeAccount: address(10), speedLimit: 10 ** 10, universeCreation: "open" };
  return { config: { chainId: 41337 }, alloc, callipter };
}

/** Something of everything that a file may say. */
function custom() {
  const [a, b, c] = ["11", "22", "33"].map((x) => `0x${x.repeat(20)}`);
  return {
    config: { chainId: 987654321 },
    timestamp: 1700000000,
    gasLimit: 40000000,
    alloc: {
      [a]: { balance: "0x123456789abcdef0123", nonce: "0x9" },
      [b]: { balance: "7", code: `0x60015f55${"00".repeat(700)}`, storage: { "0x0": "0x5", "0xff": word(2n ** 255n), "0x100": "0x80" } },
      [c]: { code: "0x5f5ff3", nonce: 1 },
      "0x0000000071727De22E5E9d8BAf0edAc6f37da032": { balance: "0x1" },
    },
    callipter: {
      ...{ owners: [a, c], creators: [b, c], evmNumber: "parent", parentChainId: 421614, universeBond: "1000000000000000000" },
      ...{ minBaseFee: 1, congestionUnit: 3, speedLimit: 7000000, tolerance: 11, inertia: 103, daSpeedLimit: 91, daTolerance: 61 },
      ...{ daInertia: 301, kNum: 2, kDen: 41, parentWeiPerByte: "123456789", surchargeCap: "55" },
      predeploys: ["entry-point-0.7", "multicall3"],
    },
  };
}

async function compare(node, file) {
  const accounts = genesisState(file);
  const { root, storage } = await stateRoot(accounts);
  const block = await node.rpc("eth_getBlockByNumber", ["0x0", false]);
  let slots = 0;
  // Account by account first: this tells where they differ.
  for (const [address, a] of accounts) {
    const keys = [...a.storage.keys()].map(word);
    const p = await node.rpc("eth_getProof", [address, keys, "0x0"]);
    for (const s of p.storageProof) assert.equal(BigInt(s.value), a.storage.get(BigInt(s.key)), `slot ${s.key} of ${address}`);
    assert.deepEqual([BigInt(p.nonce), BigInt(p.balance), p.codeHash], [a.nonce, a.balance, keccak256(a.code)], address);
    assert.equal(p.storageHash, storage.get(address), `storage root of ${address}`);
    slots += keys.length;
  }
  assert.equal(block.stateRoot, root);
  assert.ok(accounts.size > 10 && slots > 20);
  console.log(`     block 0 ${block.hash}: ${accounts.size} accounts, ${slots} slots`);
}

async function otherChain() {
  const [dir, file] = [tempDir(), custom()];
  writeFileSync(`${dir}/genesis.json`, JSON.stringify(file));
  const node = await Node.start(`${dir}/data`, ["--chain", `${dir}/genesis.json`]);
  try {
    await compare(node, file);
  } finally {
    await node.stop();
  }
}

const MULTICALL3 = predeploys.find((p) => p.id === "MULTICALL3").address;

function clients(node) {
  const { client, wallets } = viemClients(node, { contracts: { multicall3: { address: MULTICALL3 } } });
  return { client, wallet: wallets[1], owner: devAccounts(node)[0], bundler: wallets[1].account };
}

async function multicall(node) {
  const { client, wallet } = clients(node);
  const coin = contract("Coin");
  const hash = await wallet.deployContract({ ...coin, args: [wallet.account.address] });
  const { contractAddress: address } = await client.waitForTransactionReceipt({ hash });
  const read = (functionName, args) => ({ address, abi: coin.abi, functionName, args });
  const mint = await wallet.writeContract({ ...read("mint", [wallet.account.address, 77n]), account: wallet.account });
  await client.waitForTransactionReceipt({ hash: mint });
  const results = await client.multicall({
    contracts: [read("balanceOf", [wallet.account.address]), read("transferFrom", [address, address, 1n]), read("totalSupply")],
  });
  assert.deepEqual(results.map((r) => r.status), ["success", "failure", "success"]);
  assert.deepEqual([results[0].result, results[2].result], [77n, 77n]);
}

/** The code has its address by construction: in the deployment's published transaction, it gives the sender whose first contract lies there. */
async function presigned() {
  const { code } = predeploys.find((p) => p.id === "MULTICALL3");
  const constructor = "0x608060405234801561001057600080fd5b50610ee0806100206000396000f3fe"; // copies what follows it
  const tx = { type: "legacy", nonce: 0, gasPrice: 10n ** 11n, gas: 1000000n, data: concat([constructor, code]) };
  const signature = {
    v: 28n,
    r: "0xedce47092c0f398cebf3ffc267f05c8e7076e3b89445e0fe50f6332273d4569b",
    s: "0x1b0b9d000e19b24c5869b0fc3b22b0d6fa47cd63316875cbbd577d76e6fde086",
  };
  const from = await recoverTransactionAddress({ serializedTransaction: serializeTransaction(tx, signature) });
  assert.equal(from, "0x05f32B3cC3888453ff71B01135B34FF8e41263F2");
  assert.equal(getContractAddress({ from, nonce: 0n }).toLowerCase(), MULTICALL3);
}

/** An operation whose account does not exist yet: the EntryPoint has it made, is paid by it, and runs its call. */
async function operation(node, version, entryPoint, abi) {
  const { client, wallet, owner, bundler } = clients(node);
  const factory = contract("AccountFactory");
  const deployed = await client.waitForTransactionReceipt({ hash: await wallet.deployContract(factory) });
  const make = { abi: factory.abi, functionName: "create", args: [owner.address, entryPoint] };
  const { result: sender } = await client.simulateContract({ ...make, address: deployed.contractAddress });
  const funded = await wallet.sendTransaction({ to: sender, value: 10n ** 18n });
  await client.waitForTransactionReceipt({ hash: funded });
  const recipient = `0x${version.replace(".", "").repeat(20)}`;
  const execute = { abi: contract("KeyAccount").abi, functionName: "execute", args: [recipient, 5n, "0x"] };
  const op = {
    ...{ sender, nonce: 0n, factory: deployed.contractAddress, factoryData: encodeFunctionData(make), callData: encodeFunctionData(execute) },
    ...{ callGasLimit: 100000n, verificationGasLimit: 1000000n, preVerificationGas: 50000n, signature: "0x" },
    ...{ maxFeePerGas: 20000000n, maxPriorityFeePerGas: 20000000n },
  };
  const hash = getUserOperationHash({ chainId: node.chainId, entryPointAddress: entryPoint, entryPointVersion: version, userOperation: op });
  const handle = async (privateKey) => {
    const s = await sign({ hash, privateKey });
    const signature = concat([s.r, s.s, s.v === 27n ? "0x1b" : "0x1c"]);
    const args = [[toPackedUserOperation({ ...op, signature })], bundler.address];
    return client.simulateContract({ address: entryPoint, abi, functionName: "handleOps", args, account: bundler });
  };
  await assert.rejects(handle(devAccounts(node)[2].key), /AA24 signature error/);
  const { request } = await handle(owner.key);
  const receipt = await client.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
  assert.equal(receipt.status, "success");
  const events = await client.getContractEvents({ address: entryPoint, abi, eventName: "UserOperationEvent", fromBlock: receipt.blockNumber });
  assert.deepEqual(events.map((e) => [e.args.userOpHash, e.args.sender, e.args.success]), [[hash, sender, true]]);
  assert.equal(await client.getBalance({ address: recipient }), 5n);
  assert.equal(await client.readContract({ address: entryPoint, abi, functionName: "getNonce", args: [sender, 0n] }), 1n);
  const left = await client.readContract({ address: entryPoint, abi, functionName: "balanceOf", args: [sender] });
  assert.equal((await client.getBalance({ address: sender })) + left, 10n ** 18n - 5n - events[0].args.actualGasCost);
}

export async function run() {
  const node = await Node.start();
  await check("genesis: the development chain's block 0 has the state root of its accounts", () => compare(node, development()));
  await check("genesis: so has the block 0 of a file with everything", otherChain);
  await check("genesis: every predeploy has the code of its table", async () => {
    for (const p of predeploys) assert.equal(keccak256(await node.rpc("eth_getCode", [p.address, "latest"])), p.codeHash, p.id);
  });
  await check("genesis: the universe factory is what its source compiles to", () => {
    assert.equal(factoryRuntime, predeploys.find((p) => p.id === "UNIVERSE_FACTORY").code);
  });
  await check("genesis: Multicall3's presigned deployment has this code", presigned);
  await check("genesis: viem reads through Multicall3", () => multicall(node));
  for (const [version, address, abi] of [["0.7", entryPoint07Address, entryPoint07Abi], ["0.8", entryPoint08Address, entryPoint08Abi]])
    await check(`genesis: EntryPoint ${version} makes an account and runs its operation`, () => operation(node, version, address, abi));
  await node.stop();
}
