// Makes bridge/contracts/artifacts/Confirmer.json of its source; --check only compares.
//   node compile-confirmer.mjs [--check]
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../bridge/contracts");
const target = path.join(folder, "artifacts/Confirmer.json");
const source = readFileSync(path.join(folder, "src/Confirmer.sol"), "utf8");

// Shanghai: the oldest EVM on which the rollup's own contracts run. Without metadata the code is a
// function of the source and these settings alone.
const settings = {
  evmVersion: "shanghai",
  optimizer: { enabled: true, runs: 200 },
  metadata: { bytecodeHash: "none", appendCBOR: false },
};
const input = {
  language: "Solidity",
  sources: { "Confirmer.sol": { content: source } },
  settings: { ...settings, outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } } },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
if (output.errors?.length) {
  for (const e of output.errors) console.error(e.formattedMessage);
  process.exit(1);
}
const made = output.contracts["Confirmer.sol"].Confirmer;
const text = `${JSON.stringify(
  {
    contractName: "Confirmer",
    compiler: solc.version(),
    settings,
    sourceSha256: createHash("sha256").update(source).digest("hex"),
    abi: made.abi,
    bytecode: `0x${made.evm.bytecode.object}`,
  },
  null,
  1,
)}\n`;

if (!process.argv.includes("--check")) {
  writeFileSync(target, text);
  console.log(`${path.relative(process.cwd(), target)}: ${made.evm.bytecode.object.length / 2} bytes`);
} else if (readFileSync(target, "utf8") !== text) {
  console.error("the artifact is not what the source compiles to: node scripts/l3/compile-confirmer.mjs");
  process.exit(1);
} else {
  console.log("the artifact is what the source compiles to");
}
