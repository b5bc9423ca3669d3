// node run.mjs [SUITE...]: runs the suites of this folder (all without arguments) against $CALLIPTER.
import { counts } from "../lib/suite.mjs";
import { checkNodeAnswers } from "./errors.mjs";
import { printMatrix } from "./matrix.mjs";

const all = ["viem", "ethers", "web3", "cast", "forge", "hardhat", "metamask"];
const names = process.argv.length > 2 ? process.argv.slice(2) : all;
console.log("== node");
await checkNodeAnswers();
for (const name of names) {
  console.log(`== ${name}`);
  try {
    await (await import(`./suite_${name}.mjs`)).run();
  } catch (e) {
    counts.failed++;
    console.log(`FAIL ${name}: the suite broke off\n     ${e?.stack ?? e}`);
  }
}
printMatrix(names);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed === 0 ? 0 : 1);
