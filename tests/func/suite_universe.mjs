// Universes as an unmodified viem meets them: one is created, its factory deploys, a wallet with nothing plays at the universe's expense;
// receipts, estimates, refusals and their details.
import { createPublicClient, createWalletClient, encodeDeployData, encodeFunctionData, getContract, http, keccak256 } from "viem";
import { parseEther, stringToHex, toFunctionSelector, zeroAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { contract } from "./lib/compile.mjs";
import { factoryAbi, factoryAddress, registryAbi, registryAddress } from "./lib/registry.mjs";
import { Node } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { chainOf, clients } from "./lib/viem.mjs";

const forever = 2n ** 64n - 1n;
const policy = { active: true, allowValue: false, allowSetCode: false, allowCreate: false, maxDataBytes: 4096, expiry: forever, maxGas: 10n ** 6n };

export async function run() {
  const node = await Node.start();
  const { client, wallet, wallets } = clients(node);
  const [owner, stranger] = wallets.slice(1, 3);
  const player = wallet(generatePrivateKey());
  const registry = getContract({ address: registryAddress, abi: registryAbi, client: { public: client, wallet: owner } });
  const done = async (hash) => {
    const receipt = await client.waitForTransactionReceipt({ hash: await hash });
    assert.equal(receipt.status, "success");
    return receipt;
  };
  /** The refusal {code, message, data} of a transaction that is sent raw. */
  const refusal = async (w, tx) => {
    const nonce = await client.getTransactionCount({ address: w.account.address });
    const raw = await w.account.signTransaction({ chainId: node.chainId, type: "eip1559", nonce, gas: 200000n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n, ...tx });
    return node.call("eth_sendRawTransaction", [raw]).then((r) => r.error);
  };
  const { abi, bytecode } = contract("Coin");
  let token;

  await check("universe: created, with its factory's contract in it", async () => {
    const slug = stringToHex("arena", { size: 14 });
    const receipt = await done(registry.write.createUniverse([slug, owner.account.address, "https://example.org/arena"]));
    assert.equal(await registry.read.universeBySlug([slug]), 1n);
    assert.equal(await registry.read.metadataURI([1n]), "https://example.org/arena");
    const [created] = await client.getContractEvents({ address: registryAddress, abi: registryAbi, eventName: "UniverseCreated", fromBlock: receipt.blockNumber });
    assert.deepEqual([created.args.id, created.args.owner], [1n, owner.account.address]);
    const initCode = encodeDeployData({ abi, bytecode, args: [owner.account.address] });
    const salt = keccak256("0x01");
    token = await client.readContract({ address: factoryAddress, abi: factoryAbi, functionName: "addressOf", args: [1n, salt, keccak256(initCode)] });
    await done(owner.writeContract({ address: factoryAddress, abi: factoryAbi, functionName: "deploy", args: [1n, salt, initCode] }));
    assert.equal(await registry.read.universeOf([token]), 1n);
    await assert.rejects(stranger.writeContract({ address: factoryAddress, abi: factoryAbi, functionName: "deploy", args: [1n, salt, initCode] }), /NotAuthorized|revert/);
  });

  const data = encodeFunctionData({ abi, functionName: "approve", args: [owner.account.address, 5n] });
  await check("universe: without a policy the refusal names the rule", async () => {
    const e = await refusal(player, { to: token, data });
    assert.equal(e.code, -32000);
    assert.match(e.message, /max fee per gas less than block base fee/);
    assert.deepEqual(e.data, { sponsor: "policy_mismatch:inactive", universe: "0x1" });
  });

  await check("universe: pays for a wallet that has nothing", async () => {
    await done(registry.write.depositGas([1n], { value: parseEther("1") }));
    await done(registry.write.setPolicy([1n, { ...policy, maxCost: parseEther("1") }]));
    await done(registry.write.setBudget([1n, parseEther("1"), 3600n]));
    await done(registry.write.addTargets([1n, [token], [toFunctionSelector("approve(address,uint256)")]]));
    const before = (await registry.read.universe([1n]))[6];
    assert.equal(await client.getBalance({ address: player.account.address }), 0n);
    // viem estimates, fills in fees that the wallet could not pay, signs and sends.
    const receipt = await done(player.writeContract({ address: token, abi, functionName: "approve", args: [owner.account.address, 5n] }));
    assert.equal(receipt.effectiveGasPrice, 0n);
    const raw = await node.rpc("eth_getTransactionReceipt", [receipt.transactionHash]);
    const block = await client.getBlock({ blockNumber: receipt.blockNumber });
    assert.deepEqual([raw.gasPayer, raw.universe], [registryAddress, "0x1"]);
    assert.equal(BigInt(raw.gasPriceCharged), block.baseFeePerGas);
    const tx = await node.rpc("eth_getTransactionByHash", [receipt.transactionHash]);
    assert.deepEqual([tx.gasPayer, tx.universe, tx.gasPriceCharged], [raw.gasPayer, raw.universe, raw.gasPriceCharged]);
    const after = (await registry.read.universe([1n]))[6];
    assert.equal(before - after, receipt.gasUsed * block.baseFeePerGas);
    assert.equal(await client.getBalance({ address: player.account.address }), 0n);
    const trace = await node.rpc("debug_traceTransaction", [receipt.transactionHash, { tracer: "callTracer" }]);
    assert.deepEqual([trace.to, BigInt(trace.gasUsed), trace.error], [token.toLowerCase(), receipt.gasUsed, undefined]);
    const [replayed] = await node.rpc("debug_traceBlockByNumber", [`0x${receipt.blockNumber.toString(16)}`, { tracer: "prestateTracer", tracerConfig: { diffMode: true } }]);
    assert.ok(replayed.result.post[player.account.address.toLowerCase()].balance === undefined);
    // And one that offers nothing at all.
    const nonce = await client.getTransactionCount({ address: player.account.address });
    const free = await player.account.signTransaction({ chainId: node.chainId, type: "legacy", nonce, gas: 100000n, gasPrice: 0n, to: token, data });
    await done(node.rpc("eth_sendRawTransaction", [free]));
  });

  await check("universe: transactions are filled in and estimated without money", async () => {
    const request = { from: player.account.address, to: token, data };
    const gas = BigInt(await node.rpc("eth_estimateGas", [{ ...request, maxFeePerGas: "0x3b9aca00" }]));
    const { tx } = await node.rpc("eth_fillTransaction", [{ ...request, maxFeePerGas: "0x0", maxPriorityFeePerGas: "0x0" }]);
    assert.deepEqual([BigInt(tx.gas), tx.maxFeePerGas], [gas, "0x0"]);
    const elsewhere = { ...request, to: zeroAddress, data: "0x" };
    const refused = await node.call("eth_fillTransaction", [{ ...elsewhere, maxFeePerGas: "0x0" }]);
    assert.match(refused.error.message, /maxFeePerGas must be non-zero/);
    const poor = await node.call("eth_estimateGas", [{ ...elsewhere, maxFeePerGas: "0x3b9aca00" }]);
    assert.match(poor.error.message, /gas required exceeds allowance \(0\)|insufficient funds/);
  });

  await check("universe: others pay for themselves", async () => {
    const receipt = await done(stranger.sendTransaction({ to: player.account.address, value: 1n }));
    const raw = await node.rpc("eth_getTransactionReceipt", [receipt.transactionHash]);
    assert.deepEqual([raw.gasPayer, raw.universe, BigInt(raw.gasPriceCharged)], [stranger.account.address.toLowerCase(), null, receipt.effectiveGasPrice]);
    const e = await refusal(player, { to: token, data: encodeFunctionData({ abi, functionName: "transfer", args: [owner.account.address, 0n] }) });
    assert.deepEqual(e.data, { sponsor: "policy_mismatch:target", universe: "0x1" });
  });

  await check("universe: its URL suggests what its wallets should offer, and says why it does not pay", async () => {
    const ask = async (method, params) => (await (await fetch(`${node.url}/u/arena`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) })).json());
    const price = await node.rpc("eth_gasPrice");
    assert.deepEqual([(await ask("eth_gasPrice", [])).result, (await ask("eth_feeHistory", ["0x1", "latest", []])).result.baseFeePerGas[1]], ["0x0", "0x0"]);
    const nonce = await client.getTransactionCount({ address: player.account.address });
    const common = { chainId: node.chainId, type: "eip1559", gas: 100000n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n, nonce };
    const target = encodeFunctionData({ abi, functionName: "transfer", args: [owner.account.address, 0n] });
    for (const [tx, rule] of [[{ to: token, data: target }, { sponsor: "policy_mismatch:target", universe: "0x1" }], [{ to: zeroAddress }, { sponsor: "policy_mismatch:no_universe" }]]) {
      const { error } = await ask("eth_sendRawTransaction", [await player.account.signTransaction({ ...common, ...tx })]);
      assert.deepEqual([error.code, error.message, error.data], [-32000, "insufficient funds for gas * price + value", rule]);
    }
    await done(registry.write.setPolicy([1n, { ...policy, active: false, maxCost: parseEther("1") }]));
    assert.equal((await ask("eth_gasPrice", [])).result, price);
    await done(registry.write.setPolicy([1n, { ...policy, maxCost: parseEther("1") }]));
  });

  await check("universe: a nonce ahead waits at its expense, others' do not", async () => {
    const nonce = await client.getTransactionCount({ address: player.account.address });
    const common = { chainId: node.chainId, type: "eip1559", gas: 100000n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };
    const later = await player.account.signTransaction({ ...common, nonce: nonce + 1, to: token, data });
    const now = await player.account.signTransaction({ ...common, nonce, to: token, data });
    const elsewhere = await player.account.signTransaction({ ...common, nonce: nonce + 2, to: zeroAddress });
    await node.rpc("eth_sendRawTransaction", [later]);
    await assert.rejects(node.rpc("eth_sendRawTransaction", [elsewhere]), /max fee per gas less than block base fee/);
    await done(node.rpc("eth_sendRawTransaction", [now]));
    await done(Promise.resolve(keccak256(later)));
  });

  await check("universe: a flood elsewhere neither refuses nor delays it", async () => {
    const [each, gas] = [30, 4000000n];
    const spin = (await done(owner.sendTransaction({ data: "0x625b5f565f526003601df3" }))).contractAddress; // JUMPDEST PUSH0 JUMP
    assert.equal(await client.getCode({ address: spin }), "0x5b5f56");
    const maxFeePerGas = 2n * (await client.getGasPrice());
    const flood = [];
    for (const w of wallets) {
      const first = await client.getTransactionCount({ address: w.account.address });
      const common = { chainId: node.chainId, type: "eip1559", to: spin, gas, maxFeePerGas, maxPriorityFeePerGas: 0n };
      flood.push(await Promise.all([...Array(each).keys()].map((i) => w.account.signTransaction({ ...common, nonce: first + i }))));
    }
    const nonce = await client.getTransactionCount({ address: player.account.address });
    const common = { chainId: node.chainId, type: "eip1559", to: token, data, gas: 100000n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n };
    const plays = await Promise.all([0, 1, 2].map((i) => player.account.signTransaction({ ...common, nonce: nonce + i })));
    const begun = await client.getBlockNumber();
    const answers = flood.map((txs) => node.post(txs.map((raw, id) => ({ jsonrpc: "2.0", id, method: "eth_sendRawTransaction", params: [raw] }))));
    while ((await client.getBlockNumber()) < begun + 2n);
    const receipts = [];
    for (const raw of plays) receipts.push(await node.rpc("eth_sendRawTransactionSync", [raw]));
    assert.deepEqual(receipts.map((r) => r.status), ["0x1", "0x1", "0x1"]);
    for (const list of await Promise.all(answers)) for (const a of list) assert.equal(a.error, undefined);
    const blocks = [];
    for (const raw of flood.flat()) blocks.push(BigInt((await node.rpc("eth_getTransactionReceipt", [keccak256(raw)])).blockNumber));
    const behind = blocks.filter((b) => b > BigInt(receipts[0].blockNumber)).length;
    assert.ok(behind >= blocks.length / 3, `only ${behind} of ${blocks.length} came later`);
  });

  await check("universe: paused, nothing goes in and everything can be read", async () => {
    await done(registry.write.setPaused([1n, true]));
    const e = await refusal(player, { to: token, data });
    assert.deepEqual([e.code, e.message, e.data], [-32003, "transaction rejected: universe paused", { reason: "universe_paused", universe: "0x1" }]);
    const estimate = await node.call("eth_estimateGas", [{ from: player.account.address, to: token, data }]);
    assert.deepEqual([estimate.error.code, estimate.error.data.reason], [-32003, "universe_paused"]);
    assert.equal(await client.readContract({ address: token, abi, functionName: "allowance", args: [player.account.address, owner.account.address] }), 5n);
    await done(registry.write.setPaused([1n, false]));
    await done(player.sendTransaction({ to: token, data, gas: 100000n }));
  });

  await node.stop();
}
