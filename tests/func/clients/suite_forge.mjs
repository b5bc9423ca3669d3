// forge script --broadcast, unmodified: simulates on a fork of the node, sends, waits for receipts, resumes.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts, tempDir } from "../lib/node.mjs";
import { assert } from "../lib/suite.mjs";
import { collect } from "../lib/wait.mjs";
import { ERRORS, ErrorNode, provoke } from "./errors.mjs";
import { feature } from "./matrix.mjs";
import { createPublicClient, http } from "viem";

const FEATURE = (ids, name, fn) => feature("forge", ids, name, fn);
const here = path.dirname(fileURLToPath(import.meta.url));

/** A foundry project in a temporary folder, with the contracts of the other suites. */
function project() {
  const dir = tempDir();
  cpSync(path.join(here, "forge"), dir, { recursive: true });
  cpSync(path.join(here, "../contracts"), path.join(dir, "contracts"), { recursive: true });
  mkdirSync(path.join(dir, "home"));
  writeFileSync(
    path.join(dir, "foundry.toml"),
    `[profile.default]
src = "contracts"
script = "script"
libs = []
solc = ${JSON.stringify(path.join(here, "solc"))}
offline = true
evm_version = "prague"
fs_permissions = [{ access = "read", path = "./" }]
remappings = ["@openzeppelin/=${path.join(here, "../node_modules/@openzeppelin")}/"]
`,
  );
  return dir;
}

function forge(dir, args, env, signal) {
  const binary = path.join(here, "node_modules/@foundry-rs/forge-linux-amd64/bin/forge");
  const child = spawn(binary, args, {
    cwd: dir,
    env: { ...process.env, ...env, HOME: path.join(dir, "home"), NO_COLOR: "1", FOUNDRY_DISABLE_NIGHTLY_WARNING: "1" },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  child.on("error", () => {}); // ended by the signal
  let [out, err] = ["", ""];
  child.stdout.on("data", (d) => (out += d));
  child.stderr.on("data", (d) => (err += d));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out, err })));
}

export async function run() {
  const node = await Node.start();
  const [alice, bob, carol] = devAccounts(node);
  const client = createPublicClient({ transport: http(node.url) });
  const dir = project();
  const env = { ALICE_KEY: alice.key, BOB_KEY: bob.key };
  const script = (...more) =>
    forge(dir, ["script", "script/Deploy.s.sol:Deploy", "--rpc-url", node.url, "--broadcast", "--non-interactive", ...more], env);

  await FEATURE(["erc20", "erc721", "erc1155", "mint", "batch", "transfer", "fifty", "delegation"], "script --broadcast deploys, mints, transfers, fifty sends, a delegation", async () => {
    const r = await script();
    assert.equal(r.code, 0, `${r.out}\n${r.err}`);
    assert.match(r.out, /ONCHAIN EXECUTION COMPLETE & SUCCESSFUL/);
    const log = JSON.parse(readFileSync(path.join(dir, `broadcast/Deploy.s.sol/${node.chainId}/run-latest.json`)));
    assert.equal(log.receipts.length, log.transactions.length);
    assert.ok(log.receipts.length >= 60);
    assert.ok(log.receipts.every((x) => x.status === "0x1"));
    const at = (name) => ({
      address: log.transactions.find((t) => t.contractName === name && t.transactionType.startsWith("CREATE")).contractAddress,
      abi: contract(name).abi,
    });
    const read = (name, functionName, args) => client.readContract({ ...at(name), functionName, args });
    assert.equal(await read("Coin", "balanceOf", [bob.address]), 350n);
    assert.equal(await read("Items", "balanceOf", [bob.address, 50n]), 20n);
    assert.equal((await read("Deeds", "ownerOf", [7n])).toLowerCase(), bob.address);
    assert.equal(await client.getCode({ address: bob.address }), `0xef0100${at("Account").address.slice(2).toLowerCase()}`);
  });
  await FEATURE(["custom"], "a revert in the simulation comes decoded, nothing is sent", async () => {
    const before = await node.rpc("eth_getTransactionCount", [alice.address, "pending"]);
    const r = await script("--sig", "refused()");
    assert.notEqual(r.code, 0);
    assert.match(r.err + r.out, /AboveCap\(2000000000000000000000000 \[2e24\], 1000000000000000000000000 \[1e24\]\)/);
    assert.equal(await node.rpc("eth_getTransactionCount", [alice.address, "pending"]), before);
  });
  await FEATURE(["errors"], "refusals of the node come with its text", async () => {
    const create = (...more) =>
      forge(dir, ["create", "contracts/Tokens.sol:Coin", "--rpc-url", node.url, "--broadcast", "--private-key", carol.key, ...more, "--constructor-args", carol.address], env);
    const low = await create("--gas-limit", "30000");
    assert.match(low.err, /intrinsic gas too low|insufficient gas for floor data gas cost/);
    const cheap = await create("--gas-price", "1", "--priority-gas-price", "0");
    assert.match(cheap.err, /max fee per gas less than block base fee/);
    const made = await create();
    assert.equal(made.code, 0, made.err);
    const stale = await create("--nonce", "0");
    assert.match(stale.err, /nonce too low: next nonce 1, tx nonce 0/);
  });

  await FEATURE(["http", "ws"], "a script reads events over HTTP and over a WebSocket", async () => {
    const log = JSON.parse(readFileSync(path.join(dir, `broadcast/Deploy.s.sol/${node.chainId}/run-latest.json`)));
    const TOKEN = log.transactions.find((t) => t.contractName === "Coin" && t.transactionType.startsWith("CREATE")).contractAddress;
    for (const url of [node.url, `ws://${node.address}`]) {
      const r = await forge(dir, ["script", "script/Errors.s.sol:Errors", "--sig", "logs()", "--rpc-url", url], { TOKEN });
      assert.equal(r.code, 0, r.err);
      assert.match(r.out, /sum: uint256 1350\b/); // 1,000 minted, 300 and fifty times 1 moved
      assert.match(r.out, /count: uint256 52\b/);
    }
  });
  await FEATURE(["speedup"], "a waiting creation is sped up", async () => {
    const nonce = Number(await node.rpc("eth_getTransactionCount", [carol.address, "latest"]));
    const args = (gwei, at) => ["create", "contracts/Tokens.sol:Coin", "--rpc-url", node.url, "--broadcast", "--private-key", carol.key, "--nonce", String(at), "--gas-price", `${gwei}gwei`, "--priority-gas-price", "0.1gwei", "--constructor-args", carol.address];
    const hex = (n) => `0x${n.toString(16)}`;
    const metric = async (name) => Number(new RegExp(`^callipter_node_${name}(?:_total)? (\\d+)$`, "m").exec(await (await fetch(`${node.url}/metrics`)).text())[1]);
    const stop = new AbortController();
    const slow = forge(dir, args(1, nonce + 1), env, stop.signal); // it waits, and is told nothing
    await collect().until(async () => (await metric("pool_queued")) === 1);
    const refused = await forge(dir, args(1.05, nonce + 1), env);
    assert.match(refused.err, /replacement transaction underpriced/);
    const before = await metric("submissions");
    const fast = forge(dir, args(2, nonce + 1), env);
    await collect().until(async () => (await metric("submissions")) > before);
    assert.equal((await forge(dir, args(1, nonce), env)).code, 0);
    const done = await fast;
    assert.equal(done.code, 0, done.err);
    const hash = /Transaction hash: (0x[0-9a-f]{64})/.exec(done.out)[1];
    const receipt = await node.rpc("eth_getTransactionReceipt", [hash]);
    assert.equal(receipt.status, "0x1");
    assert.equal((await node.rpc("eth_getTransactionByHash", [hash])).nonce, hex(nonce + 1));
    stop.abort();
    await slow;
  });
  await FEATURE(["errors"], "each error of the table is a CheatcodeError with its code and text", async () => {
    const outcomes = await allErrors(dir);
    await provoke("forge", {
      ask: (_, row) => Promise.reject(outcomes.get(row.id)),
      typesOf: (e) => [e.split(" ")[0]],
      textOf: (e) => e,
    });
  });
  await node.stop();
}

/** What forge tells of each row of the table, asked in one run of a script. */
async function allErrors(dir) {
  const n = await ErrorNode.start();
  const made = [];
  for (const row of ERRORS) made.push(await n.make(row));
  const lines = made.flatMap((m) => [m.node.url, m.method, JSON.stringify(m.params)]);
  writeFileSync(path.join(dir, "calls.txt"), `${lines.join("\n")}\n`);
  const r = await forge(dir, ["script", "script/Errors.s.sol:Errors"], { CALLS: String(made.length) });
  await n.stop();
  const told = r.out.split("\n").map((l) => l.trim()).filter((l) => l.startsWith("@"));
  assert.equal(told.length, ERRORS.length, r.out + r.err);
  return new Map(ERRORS.map((row, i) => [row.id, told[i].slice(1)]));
}
