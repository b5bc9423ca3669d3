// forge script --broadcast, unmodified: simulates on a fork of the node, sends, waits for receipts, resumes.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { contract } from "../lib/compile.mjs";
import { Node, devAccounts, tempDir } from "../lib/node.mjs";
import { assert, check } from "../lib/suite.mjs";
import { createPublicClient, http } from "viem";

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
remappings = ["@openzeppelin/=${path.join(here, "../node_modules/@openzeppelin")}/"]
`,
  );
  return dir;
}

function forge(dir, args, env) {
  const binary = path.join(here, "node_modules/@foundry-rs/forge-linux-amd64/bin/forge");
  const child = spawn(binary, args, {
    cwd: dir,
    env: { ...process.env, ...env, HOME: path.join(dir, "home"), NO_COLOR: "1", FOUNDRY_DISABLE_NIGHTLY_WARNING: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
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

  await check("forge: script --broadcast deploys, mints, transfers, fifty sends, a delegation", async () => {
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
  await check("forge: a revert in the simulation comes decoded, nothing is sent", async () => {
    const before = await node.rpc("eth_getTransactionCount", [alice.address, "pending"]);
    const r = await script("--sig", "refused()");
    assert.notEqual(r.code, 0);
    assert.match(r.err + r.out, /AboveCap\(2000000000000000000000000 \[2e24\], 1000000000000000000000000 \[1e24\]\)/);
    assert.equal(await node.rpc("eth_getTransactionCount", [alice.address, "pending"]), before);
  });
  await check("forge: refusals of the node come with its text", async () => {
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

  await node.stop();
}
