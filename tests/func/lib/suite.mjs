// A list of named checks, run in order. A suite's failure never hides the next one's.
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
