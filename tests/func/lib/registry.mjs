// The registry of universes and its factory: addresses, and ABIs compiled from their sources.
import { readFileSync } from "node:fs";
import solc from "solc";

export const registryAddress = "0x0000000000000000000000000000000000007500";
export const factoryAddress = "0x0000000000000000000000000000000000007501";

const folder = new URL("../../../genesis/contracts/src/", import.meta.url);
const names = ["IUniverseRegistry", "UniverseFactory"];
const sources = Object.fromEntries(names.map((n) => [`${n}.sol`, { content: readFileSync(new URL(`${n}.sol`, folder), "utf8") }]));
/** As genesis/predeploys.def says. */
const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.deployedBytecode.object"] } },
};
const { contracts } = JSON.parse(solc.compile(JSON.stringify({ language: "Solidity", sources, settings })));
const of = (n) => contracts[`${n}.sol`][n];

export const registryAbi = of("IUniverseRegistry").abi;
export const factoryAbi = of("UniverseFactory").abi;
export const factoryRuntime = `0x${of("UniverseFactory").evm.deployedBytecode.object}`;
