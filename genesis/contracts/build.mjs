// Compiles src/*.sol with the pinned solc and OpenZeppelin of tests/func (npm ci there first).
//   node genesis/contracts/build.mjs           writes the artifacts: creation code and ABI of each template, the factory
//   node genesis/contracts/build.mjs --check   compares them with those in the tree, and the hashes in the tables
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const packages = path.join(here, "../../tests/func");
const require = createRequire(path.join(packages, "package.json"));
const solc = require("solc");
const { keccak_256 } = await import(require.resolve("@noble/hashes/sha3.js"));

// The text of an artifact depends on these, on the sources, and on the two pinned packages; on no path.
const SETTINGS = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  metadata: { appendCBOR: false, bytecodeHash: "none" },
};
// viaIR: the batch loops need more than 16 stack slots otherwise, and cost less gas with it. The factory stands in
// block 0 and keeps the code that it has.
const TEMPLATES = { erc20: "UniverseERC20", erc721: "UniverseERC721", items: "UniverseItems" };
const FACTORY = "UniverseFactory";
const MAX_CODE_BYTES = 24576; // EIP-170

function compile(files, settings) {
  const sources = Object.fromEntries(files.map((f) => [`src/${f}.sol`, { content: readFileSync(path.join(here, "src", `${f}.sol`), "utf8") }]));
  const outputSelection = { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } };
  const input = { language: "Solidity", sources, settings: { ...SETTINGS, ...settings, outputSelection } };
  const find = (name) => {
    const file = name.startsWith("src/") ? path.join(here, name) : path.join(packages, "node_modules", name);
    return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: "not found" };
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
  const messages = output.errors ?? [];
  if (messages.length) throw new Error(messages.map((e) => e.formattedMessage).join("\n"));
  return Object.fromEntries(files.map((f) => [f, output.contracts[`src/${f}.sol`][f]]));
}

/** Path from the top folder -> text. */
function artifacts() {
  const out = {};
  const hashes = {};
  const take = (file, code) => {
    out[file] = `${code}\n`;
    hashes[file] = Buffer.from(keccak_256(Buffer.from(code, "hex"))).toString("hex");
  };
  const made = compile(Object.values(TEMPLATES), { viaIR: true });
  for (const [name, contract] of Object.entries(TEMPLATES)) {
    const { abi, evm } = made[contract];
    const bytes = evm.deployedBytecode.object.length / 2;
    if (bytes > MAX_CODE_BYTES) throw new Error(`${contract} has ${bytes} bytes of code`);
    console.log(`${name}: ${evm.bytecode.object.length / 2} bytes of creation code, ${bytes} of code`);
    take(`genesis/templates/${name}.hex`, evm.bytecode.object);
    out[`genesis/templates/${name}.abi.json`] = `[\n${abi.map((entry) => JSON.stringify(entry)).join(",\n")}\n]\n`;
  }
  take("genesis/predeploys/universe_factory.hex", compile([FACTORY], {})[FACTORY].evm.deployedBytecode.object);
  return { out, hashes };
}

const top = path.join(here, "../..");
const { out, hashes } = artifacts();
if (process.argv.includes("--check")) {
  const tables = ["templates", "predeploys"].map((t) => readFileSync(path.join(top, `genesis/${t}.def`), "utf8")).join("");
  const stale = Object.keys(out).filter((f) => !existsSync(path.join(top, f)) || readFileSync(path.join(top, f), "utf8") !== out[f]);
  const extra = readdirSync(path.join(top, "genesis/templates")).filter((f) => !(`genesis/templates/${f}` in out));
  const unknown = Object.keys(hashes).filter((f) => !tables.includes(hashes[f]));
  for (const f of stale) console.error(`${f}: not what the sources compile to`);
  for (const f of extra) console.error(`genesis/templates/${f}: comes from no source`);
  for (const f of unknown) console.error(`${f}: hash ${hashes[f]} is in no table`);
  process.exitCode = stale.length || extra.length || unknown.length ? 1 : 0;
} else {
  mkdirSync(path.join(top, "genesis/templates"), { recursive: true });
  for (const [file, text] of Object.entries(out)) writeFileSync(path.join(top, file), text);
  for (const [file, hash] of Object.entries(hashes)) console.log(`${file}: ${hash}`);
}
