// node run.mjs [SUITE...]: runs the suites (all without arguments) against $CALLIPTER.
import { counts } from "./lib/suite.mjs";

const all = ["viem", "cast", "ethers", "rpc", "filters", "ws", "transport", "hostile", "restart", "ops", "genesis", "system", "universe", "templates", "api", "quickstart"];
const names = process.argv.length > 2 ? process.argv.slice(2) : all;
for (const name of names) {
  console.log(`== ${name}`);
  try {
    await (await import(`./suite_${name}.mjs`)).run();
  } catch (e) {
    counts.failed++;
    console.log(`FAIL ${name}: the suite broke off\n     ${e?.stack ?? e}`);
  }
}
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed === 0 ? 0 : 1);
