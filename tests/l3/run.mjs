// node run.mjs [SUITE...]: runs the suites (all without arguments) against $CALLIPTER.
import { counts } from "../func/lib/suite.mjs";

const all = ["settle", "tickets", "reorg", "confirm", "sdk", "liar", "history", "routes", "rebuild", "secrets"];
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
