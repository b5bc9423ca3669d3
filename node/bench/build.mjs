// Compiles BenchTokens.sol with the pinned solc and OpenZeppelin of tests/func (npm ci there first) and writes the
// code of both contracts as it lies in the state.
//   node node/bench/build.mjs
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const packages = path.join(here, "../../tests/func");
const require = createRequire(path.join(packages, "package.json"));
const solc = require("solc");
const { keccak_256 } = await import(require.resolve("@noble/hashes/sha3.js"));
const FILES = { BenchCoin: "coin.hex", BenchItems: "items.hex" };

const input = {
  language: "Solidity",
  sources: { "BenchTokens.sol": { content: readFileSync(path.join(here, "BenchTokens.sol"), "utf8") } },
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "cancun",
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["evm.deployedBytecode.object", "storageLayout"] } },
  },
};
const find = (name) => {
  const file = path.join(packages, "node_modules", name);
  return existsSync(file) ? { contents: readFileSync(file, "utf8") } : { error: "not found" };
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
if (output.errors?.length) throw new Error(output.errors.map((e) => e.formattedMessage).join("\n"));
for (const [name, file] of Object.entries(FILES)) {
  const contract = output.contracts["BenchTokens.sol"][name];
  const code = contract.evm.deployedBytecode.object;
  const balances = contract.storageLayout.storage.find((s) => s.label === "_balances");
  if (balances.slot !== "0") throw new Error(`${name}: balances lie in slot ${balances.slot}`);
  writeFileSync(path.join(here, file), `${code}\n`);
  console.log(`${file}: ${Buffer.from(keccak_256(Buffer.from(code, "hex"))).toString("hex")}`);
}
