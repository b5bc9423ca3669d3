// What the fast tier dispatches in games: deploys Game.sol and the universes' templates on a dev node, plays ROUNDS rounds of calls, and
// replays the log with --profile. The packages are those of tests/func.
//   CALLIPTER=build/callipter node evm/profile/run.mjs [rows]            ROUNDS=20 by default; KEEP=DIR: leaves the log there, to replay it again
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const packages = path.join(here, "../../tests/func");
const require = createRequire(path.join(packages, "package.json"));
const load = (name) => import(path.join(packages, "lib", name));
const solc = require("solc");
const { encodeAbiParameters, encodeDeployData, keccak256, maxUint256, stringToHex, toHex } = require("viem");
const { privateKeyToAccount, sign } = require("viem/accounts");
const { BINARY, Node, devAccounts, tempDir } = await load("node.mjs");
const { clients } = await load("viem.mjs");
const { factoryAbi, factoryAddress, registryAbi, registryAddress } = await load("registry.mjs");
const ROUNDS = Number(process.env.ROUNDS ?? 20);
const GAS = 12_000_000n;

function compile() {
  const input = {
    language: "Solidity",
    sources: { "Game.sol": { content: readFileSync(path.join(here, "Game.sol"), "utf8") } },
    settings: { optimizer: { enabled: true, runs: 200 }, evmVersion: "cancun", outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } } },
  };
  const find = (name) => ({ contents: readFileSync(path.join(packages, "node_modules", name), "utf8") });
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
  const errors = (output.errors ?? []).filter((e) => e.severity === "error");
  if (errors.length) throw new Error(errors.map((e) => e.formattedMessage).join("\n"));
  return output.contracts["Game.sol"];
}

const dir = process.env.KEEP ?? path.join(tempDir(), "played");
const node = await Node.start(dir);
const { client, wallets } = clients(node);
const [owner, ...players] = wallets.slice(0, 9);
const keys = devAccounts(node).map((d) => d.key);
const of = (w) => w.account.address;
const done = async (hash) => {
  const receipt = await client.waitForTransactionReceipt({ hash: await hash });
  if (receipt.status !== "success") throw new Error(`a call failed: ${receipt.transactionHash}`);
  return receipt;
};
const call = (who, c, functionName, args, gas = GAS) => done(who.writeContract({ ...c, functionName, args, gas }));
const each = (fn) => Promise.all(players.map(fn));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const compiled = compile();
const game = {};
async function deploy(name, args = []) {
  const { abi, evm } = compiled[name];
  const receipt = await done(owner.deployContract({ abi, bytecode: `0x${evm.bytecode.object}`, args, gas: GAS }));
  game[name] = { address: receipt.contractAddress, abi };
}

/** A template through the factory, as a universe's owner deploys it. */
async function deployTemplate(name, args) {
  const read = (ending) => readFileSync(path.join(here, "../../genesis/templates", `${name}.${ending}`), "utf8").trim();
  const abi = JSON.parse(read("abi.json"));
  const deployment = [1n, keccak256(toHex(name)), encodeDeployData({ abi, bytecode: `0x${read("hex")}`, args })];
  const { result } = await client.simulateContract({ account: owner.account, address: factoryAddress, abi: factoryAbi, functionName: "deploy", args: deployment });
  await call(owner, { address: factoryAddress, abi: factoryAbi }, "deploy", deployment);
  game[name] = { address: result, abi };
}

async function setUp() {
  const registry = { address: registryAddress, abi: registryAbi };
  await call(owner, registry, "createUniverse", [stringToHex("arena", { size: 14 }), of(owner), ""]);
  await call(owner, registry, "setRole", [1n, of(owner), 1n, 0n]);
  await deployTemplate("erc20", ["Gold", "GLD", 18, 0n, of(owner), of(owner)]);
  await deployTemplate("erc721", ["Deeds", "DEED", "https://example.org/", of(owner), of(owner)]);
  await deployTemplate("items", ["Items", "ITM", "https://example.org/", of(owner), of(owner)]);
  for (const name of ["erc721", "items"])
    for (let id = 0n; id < 4n; id++) await call(owner, game[name], "defineClass", [id, 0n, stringToHex('{"name":"x","power":1}')]);
  await deploy("Gold");
  await deploy("Things");
  await deploy("Market", [game.Things.address, game.Gold.address]);
  await deploy("Crafting", [game.Things.address]);
  await deploy("Staking", [game.Gold.address]);
  await deploy("Multisig", [wallets.slice(0, 3).map(of), 3n]);
  await deploy("Council", [game.Gold.address]);
  await deploy("Timelock", [[of(owner)]]);
  await call(owner, game.Things, "setMinter", [of(owner), true]);
  await call(owner, game.Things, "setMinter", [game.Crafting.address, true]);
  await call(owner, game.Crafting, "setRecipe", [1n, [1n, 2n, 3n], [2n, 1n, 1n], 9n, 10n]);
  await call(owner, game.Gold, "mint", [game.Staking.address, 10n ** 24n]);
  await each(async (p) => {
    for (const c of [game.Market, game.Staking]) await call(p, game.Gold, "approve", [c.address, maxUint256]);
    await call(p, game.Things, "setApprovalForAll", [game.Market.address, true]);
    await call(p, game.Gold, "delegate", [of(p)]);
  });
}

let serial = 0;
const minted = (name, count, to) =>
  Array.from({ length: count }, (_, k) => {
    serial++;
    const id = name === "erc721" ? (BigInt(k % 4) << 64n) | BigInt(serial) : BigInt(name === "items" ? k % 4 : 0);
    return { referenceId: keccak256(toHex(serial)), to: to(k), id, amount: 1n };
  });

async function mintAll(round) {
  const ids = Array.from({ length: 10 }, (_, k) => BigInt(k));
  const values = ids.map(() => 20n);
  for (const p of players) {
    await call(owner, game.Gold, "mint", [of(p), 10n ** 21n]);
    await call(owner, game.Things, "mint", [of(p), BigInt(round), 1n]);
    await call(owner, game.Things, "mintBatch", [of(p), ids, values]);
  }
  for (const name of ["erc20", "erc721", "items"])
    for (const count of [1, 10, 50]) await call(owner, game[name], "mintBatch", [minted(name, count, (k) => of(players[k % players.length]))]);
}

async function trade(p, round) {
  const next = of(players[(players.indexOf(p) + 1) % players.length]);
  for (const name of ["Gold", "erc20"]) await call(p, game[name], "transfer", [next, 1n]);
  await call(p, game.Things, "safeTransferFrom", [of(p), next, 4n, 1n, "0x"]);
  await call(p, game.Things, "safeBatchTransferFrom", [of(p), next, [4n, 5n, 6n], [1n, 1n, 1n], "0x"]);
  await call(p, game.Crafting, "craft", [1n, "a sword of my own"]);
  await call(p, game.Staking, "stake", [1000n]);
  await call(p, game.Staking, "unstake", [100n]);
  await call(p, game.Staking, "claim", []);
}

async function market(round) {
  const [seller, ...others] = players;
  const first = await client.readContract({ ...game.Market, functionName: "nextListing" });
  await call(seller, game.Market, "list", [7n, 10n, 100n]);
  await call(seller, game.Market, "open", [8n, 2n ** 40n]);
  for (const [i, p] of others.entries()) {
    await call(p, game.Market, "buy", [first, 1n]);
    await call(p, game.Market, "bid", [BigInt(round), BigInt((i + 1) * 1000)]);
  }
}

async function confirm(round) {
  const data = "0xd0e30db0";
  const types = ["uint256", "address", "uint256", "address", "bytes"].map((type) => ({ type }));
  const digest = keccak256(encodeAbiParameters(types, [BigInt(node.chainId), game.Multisig.address, BigInt(round), of(players[3]), data]));
  const signers = keys.slice(0, 3).sort((a, b) => (privateKeyToAccount(a).address.toLowerCase() < privateKeyToAccount(b).address.toLowerCase() ? -1 : 1));
  const signatures = await Promise.all(signers.map((privateKey) => sign({ hash: digest, privateKey, to: "hex" })));
  await call(players[0], game.Multisig, "execute", [of(players[3]), data, signatures]);
  const salt = keccak256(toHex(++serial));
  const operation = [of(players[3]), 0n, data, `0x${"0".repeat(64)}`, salt];
  await call(owner, game.Timelock, "schedule", [...operation, 0n]);
  await call(owner, game.Timelock, "execute", operation);
}

async function vote() {
  const proposal = [[of(players[0])], [0n], ["0x"], `proposal ${++serial}`];
  const { result: id } = await client.simulateContract({ account: players[0].account, ...game.Council, functionName: "propose", args: proposal });
  await call(players[0], game.Council, "propose", proposal);
  await pause(2500);
  await each((p) => call(p, game.Council, "castVote", [id, 1]));
  await pause(6000);
  await call(players[0], game.Council, "execute", [...proposal.slice(0, 3), keccak256(toHex(proposal[3]))]);
}

await setUp();
for (let round = 0; round < ROUNDS; round++) {
  await mintAll(round);
  await each((p) => trade(p, round));
  await market(round);
  await confirm(round);
  if (round === 0) await vote();
}
await node.stop();
const fresh = path.join(tempDir(), "replayed");
mkdirSync(fresh);
const args = ["run", "--dev", "--datadir", fresh, "--replay", dir, "--profile", process.argv[2] ?? "40", "--log-level", "error"];
process.stdout.write(execFileSync(BINARY, args, { maxBuffer: 1 << 26 }));
process.exit(0);
