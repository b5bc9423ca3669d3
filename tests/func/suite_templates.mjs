// The contract templates on the real chain: deployed through the factory, minted by a signer that has nothing at the universe's expense,
// gas per item, full batches, references, pausing of calls that come through another contract.
import { decodeErrorResult, decodeFunctionResult, encodeDeployData, encodeFunctionData, keccak256, parseAbi, parseEther } from "viem";
import { stringToHex, toFunctionSelector, toHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { readFileSync } from "node:fs";
import { factoryAbi, factoryAddress, registryAbi, registryAddress } from "./lib/registry.mjs";
import { Node } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";
import { clients } from "./lib/viem.mjs";

const TX_GAS_MAX = 2n ** 24n; // EIP-7825
const multicall = { address: "0xca11bde05977b3631167028862be2a173976ca11", abi: parseAbi(["function aggregate3((address target, bool allowFailure, bytes data)[]) payable returns ((bool success, bytes data)[])"]) };
const base = "https://example.org/v1/u/arena/contracts/";
const folder = new URL("../../genesis/templates/", import.meta.url);
const read = (file) => readFileSync(new URL(file, folder), "utf8").trim();

/** Most gas for an item with a reference: one alone, and in batches of 100 and 200 to as many new accounts. */
const templates = {
  erc20: { args: (admin, minter) => ["Gold", "GLD", 18, 0n, admin, minter], id: () => 0n, amount: 10n ** 18n, gas: { 1: 86000, 100: 49500, 200: 49300 } },
  erc721: { args: (admin, minter) => ["Deeds", "DEED", base, admin, minter], id: (k) => (BigInt(k % 10) << 64n) | BigInt(k), amount: 1n, gas: { 1: 117000, 100: 76000, 200: 75500 } },
  items: { args: (admin, minter) => ["Items", "ITM", base, admin, minter], id: (k) => BigInt(k % 10), amount: 1n, gas: { 1: 92000, 100: 56500, 200: 56000 } },
};

export async function run() {
  const node = await Node.start();
  const { client, wallet, wallets } = clients(node);
  const [owner, deployer, player] = wallets.slice(1, 4);
  const signer = wallet(generatePrivateKey());
  const done = async (hash) => {
    const receipt = await client.waitForTransactionReceipt({ hash: await hash });
    assert.equal(receipt.status, "success");
    return receipt;
  };
  const registry = (functionName, args, more) => done(owner.writeContract({ address: registryAddress, abi: registryAbi, functionName, args, ...more }));
  const someone = () => privateKeyToAccount(generatePrivateKey()).address;
  const made = {};
  let serial = 0;
  /** `count` items that were not there before, to new accounts unless told. */
  const items = (name, count, to = someone) =>
    Array.from({ length: count }, () => ({ referenceId: keccak256(toHex(++serial)), to: to(), id: templates[name].id(serial), amount: templates[name].amount }));
  const mint = (name, list) => signer.writeContract({ ...made[name], functionName: "mintBatch", args: [list], gas: TX_GAS_MAX, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n });

  await check("templates: a holder of DEPLOY deploys them, they belong to the universe", async () => {
    await registry("createUniverse", [stringToHex("arena", { size: 14 }), owner.account.address, ""]);
    await registry("setRole", [1n, deployer.account.address, 1n, 0n]);
    for (const [name, template] of Object.entries(templates)) {
      const abi = JSON.parse(read(`${name}.abi.json`));
      const initCode = encodeDeployData({ abi, bytecode: `0x${read(`${name}.hex`)}`, args: template.args(owner.account.address, signer.account.address) });
      const args = [1n, keccak256(toHex(name)), initCode];
      const { result: address } = await client.simulateContract({ account: deployer.account, address: factoryAddress, abi: factoryAbi, functionName: "deploy", args });
      const receipt = await done(deployer.writeContract({ address: factoryAddress, abi: factoryAbi, functionName: "deploy", args }));
      made[name] = { address, abi };
      console.log(`     ${name}: ${receipt.gasUsed} gas to deploy`);
      assert.equal(await client.readContract({ address: registryAddress, abi: registryAbi, functionName: "universeOf", args: [address] }), 1n);
      assert.equal(await client.readContract({ ...made[name], functionName: "universe" }), 1n);
    }
  });

  await check("templates: a signer without ETH defines classes and mints, the universe pays", async () => {
    await registry("depositGas", [1n], { value: parseEther("100") });
    const policy = { active: true, allowValue: false, allowSetCode: false, allowCreate: false, maxDataBytes: 1 << 17, expiry: 2n ** 64n - 1n, maxGas: TX_GAS_MAX, maxCost: parseEther("10") };
    await registry("setPolicy", [1n, policy]);
    await registry("setBudget", [1n, parseEther("100"), 3600n]);
    for (const { address, abi } of Object.values(made)) {
      const functions = abi.filter((f) => ["defineClass", "mintBatch"].includes(f.name));
      await registry("addTargets", [1n, functions.map(() => address), functions.map((f) => toFunctionSelector(f))]);
    }
    for (const name of ["erc721", "items"])
      for (let id = 0n; id < 10n; id++) {
        const json = stringToHex(JSON.stringify({ name: `Class ${id}`, rarity: "common", attributes: [{ trait_type: "power", value: Number(id) }] }));
        await done(signer.writeContract({ ...made[name], functionName: "defineClass", args: [id, 0n, json], gas: 200000n, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }));
      }
    for (const name of Object.keys(made)) {
      const receipt = await done(mint(name, items(name, 1)));
      const raw = await node.rpc("eth_getTransactionReceipt", [receipt.transactionHash]);
      assert.deepEqual([raw.gasPayer, raw.universe], [registryAddress, "0x1"]);
    }
    assert.equal(await client.getBalance({ address: signer.account.address }), 0n);
  });

  await check("templates: gas for each item stays below what the table says", async () => {
    for (const [name, { gas }] of Object.entries(templates))
      for (const [count, most] of Object.entries(gas)) {
        const { gasUsed } = await done(mint(name, items(name, Number(count))));
        const each = Math.ceil(Number(gasUsed) / Number(count));
        console.log(`     ${name}: ${each} gas for each of ${count}`);
        assert.ok(each <= most, `${name}: ${each} of ${most}`);
        assert.ok(each > most * 0.9, `${name}: the table's ${most} is far above ${each}`);
      }
  });

  await check("templates: the largest batch of one transaction", async () => {
    for (const [name, { gas }] of Object.entries(templates)) {
      const fits = async (count) => {
        const data = encodeFunctionData({ ...made[name], functionName: "mintBatch", args: [items(name, count)] });
        const answer = await node.call("eth_estimateGas", [{ from: signer.account.address, to: made[name].address, data, gas: toHex(TX_GAS_MAX) }]);
        return answer.error === undefined;
      };
      let [low, high] = [200, Math.ceil(Number(TX_GAS_MAX) / (gas[200] * 0.9))];
      assert.ok((await fits(low)) && !(await fits(high)));
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (await fits(middle)) low = middle;
        else high = middle;
      }
      const list = items(name, low);
      const { gasUsed } = await done(mint(name, list));
      console.log(`     ${name}: ${low} items in ${gasUsed} gas`);
      assert.ok(gasUsed <= TX_GAS_MAX && gasUsed > TX_GAS_MAX - 2n * BigInt(gas[200]));
      const used = await client.readContract({ ...made[name], functionName: "referencesUsed", args: [list.map((i) => i.referenceId)] });
      assert.ok(used.length === low && used.every((u) => u));
    }
  });

  await check("templates: a repeated reference is refused by name", async () => {
    for (const name of Object.keys(made)) {
      const [one, two] = items(name, 2);
      const { blockNumber } = await done(mint(name, [one]));
      const data = encodeFunctionData({ ...made[name], functionName: "mintBatch", args: [[two, one]] });
      const { error } = await node.call("eth_call", [{ from: signer.account.address, to: made[name].address, data }, "latest"]);
      const e = decodeErrorResult({ ...made[name], data: error.data });
      assert.deepEqual([e.errorName, e.args], ["ReferenceUsed", [one.referenceId]]);
      const { timestamp } = await client.getBlock({ blockNumber });
      assert.deepEqual(await client.readContract({ ...made[name], functionName: "referenceOf", args: [one.referenceId] }), [one.to, timestamp]);
    }
  });

  await check("templates: metadata is where the API serves it", async () => {
    const [deed] = items("erc721", 1);
    await done(mint("erc721", [deed]));
    const uri = await client.readContract({ ...made.erc721, functionName: "tokenURI", args: [deed.id] });
    assert.equal(uri, `${base}${made.erc721.address.toLowerCase()}/metadata/${deed.id}`);
    const all = await client.readContract({ ...made.items, functionName: "uri", args: [1n] });
    assert.equal(all, `${base}${made.items.address.toLowerCase()}/metadata/{id}`);
  });

  await check("templates: in a paused universe nothing moves, through other contracts neither", async () => {
    const to = player.account.address;
    const mine = items("items", 1, () => to)[0];
    await done(mint("items", [mine]));
    await done(player.writeContract({ ...made.items, functionName: "setApprovalForAll", args: [multicall.address, true] }));
    const data = encodeFunctionData({ ...made.items, functionName: "safeTransferFrom", args: [to, deployer.account.address, mine.id, 1n, "0x"] });
    const call = { to: multicall.address, data: encodeFunctionData({ ...multicall, functionName: "aggregate3", args: [[{ target: made.items.address, allowFailure: true, data }]] }) };
    const tried = async () => decodeFunctionResult({ ...multicall, functionName: "aggregate3", data: (await client.call({ ...call, account: player.account })).data })[0];
    assert.equal((await tried()).success, true);
    await registry("setPaused", [1n, true]);
    const { success, data: why } = await tried();
    const e = decodeErrorResult({ ...made.items, data: why });
    assert.deepEqual([success, e.errorName, e.args], [false, "UniversePaused", [1n]]);
    await assert.rejects(player.sendTransaction({ to: made.items.address, data, gas: 200000n }), /universe paused/);
    await done(player.sendTransaction(call)); // allowed to fail inside
    assert.equal(await client.readContract({ ...made.items, functionName: "balanceOf", args: [deployer.account.address, mine.id] }), 0n);
    await registry("setPaused", [1n, false]);
    await done(player.sendTransaction(call));
    assert.equal(await client.readContract({ ...made.items, functionName: "balanceOf", args: [deployer.account.address, mine.id] }), 1n);
  });

  await node.stop();
}
