// Runs inside Hardhat: asks each call of calls.json and writes down as what its failure comes.
import { readFileSync, writeFileSync } from "node:fs";
import hre from "hardhat";

const networks = new Map();
const outcomes = {};
for (const { id, network, method, params } of JSON.parse(readFileSync("calls.json"))) {
  if (!networks.has(network)) networks.set(network, (await hre.network.connect(network)).provider);
  try {
    await networks.get(network).request({ method, params });
    outcomes[id] = { name: "none", message: "" };
  } catch (e) {
    outcomes[id] = { name: e.name, code: e.code, message: e.message };
  }
}
writeFileSync("outcomes.json", JSON.stringify(outcomes));
