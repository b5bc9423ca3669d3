// Suites of named checks, run in order. A suite's failure never hides the next one's.
import { strict as assert } from "node:assert";

export { assert };
export const counts = { passed: 0, failed: 0 };
const filter = process.env.FILTER ?? "";

/** Runs one check and prints its line. Gives what fn gives, or undefined after a failure. */
export async function check(name, fn) {
  if (filter && !name.includes(filter)) return undefined;
  const begun = performance.now();
  try {
    const value = await fn();
    counts.passed++;
    console.log(`ok   ${name} (${Math.round(performance.now() - begun)} ms)`);
    return value;
  } catch (e) {
    counts.failed++;
    console.log(`FAIL ${name}\n     ${String(e?.stack ?? e).replaceAll("\n", "\n     ")}`);
    return undefined;
  }
}

/** The suites that the command line names; all without arguments. */
export const wanted = (all) => (process.argv.length > 2 ? process.argv.slice(2) : all);

/** Runs suite_<name>.mjs beside the module `base` for each suite wanted. */
export async function runSuites(base, all) {
  for (const name of wanted(all)) {
    console.log(`== ${name}`);
    try {
      await (await import(new URL(`suite_${name}.mjs`, base))).run();
    } catch (e) {
      counts.failed++;
      console.log(`FAIL ${name}: the suite broke off\n     ${e?.stack ?? e}`);
    }
  }
}

/** The closing line; ends the process. */
export function finish() {
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  process.exit(counts.failed === 0 ? 0 : 1);
}
