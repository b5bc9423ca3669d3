// node run.mjs [SUITE...]: runs the suites of this folder (all without arguments) against $CALLIPTER.
import { finish, runSuites, wanted } from "../lib/suite.mjs";
import { checkNodeAnswers } from "./errors.mjs";
import { printMatrix } from "./matrix.mjs";

const all = ["viem", "ethers", "web3", "cast", "forge", "hardhat", "metamask"];
console.log("== node");
await checkNodeAnswers();
await runSuites(import.meta.url, all);
printMatrix(wanted(all));
finish();
