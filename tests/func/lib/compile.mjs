// Compiles contracts/*.sol with npm's solc; imports come from node_modules. One compilation per run.
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";
import solc from "solc";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");

function findImport(name) {
  try {
    return { contents: readFileSync(path.join(root, "node_modules", name), "utf8") };
  } catch (e) {
    return { error: String(e) };
  }
}

let compiled;

/** {abi, bytecode} of a contract by its name. */
export function contract(name) {
  compiled ??= compileAll();
  if (!compiled[name]) throw new Error(`no contract ${name}`);
  return compiled[name];
}

function compileAll() {
  const sources = {};
  for (const file of readdirSync(path.join(root, "contracts")))
    sources[file] = { content: readFileSync(path.join(root, "contracts", file), "utf8") };
  const input = {
    language: "Solidity",
    sources,
    settings: {
      optimizer: { enabled: true, runs: 200 },
      outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  const errors = (output.errors ?? []).filter((e) => e.severity === "error");
  if (errors.length) throw new Error(errors.map((e) => e.formattedMessage).join("\n"));
  const result = {};
  for (const file of Object.keys(sources))
    for (const [name, c] of Object.entries(output.contracts[file]))
      result[name] = { abi: c.abi, bytecode: `0x${c.evm.bytecode.object}` };
  return result;
}
