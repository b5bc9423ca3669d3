// What each tool did here, gathered while the suites run, printed as a table at the end: a cell is "yes" when every check that
// stands for it passed, "FAIL" when one did not, "-" with a reason below when the tool itself has no such thing.
import { check, counts } from "../lib/suite.mjs";

export const FEATURES = {
  erc20: "deploy ERC-20",
  erc721: "deploy ERC-721",
  erc1155: "deploy ERC-1155",
  mint: "mint",
  batch: "batch mint of 50",
  transfer: "transfer",
  http: "events over HTTP",
  ws: "events over WebSocket",
  custom: "decoded custom error",
  fifty: "50 sends at once",
  speedup: "speed-up of a waiting tx",
  delegation: "EIP-7702 delegation",
  errors: "errors as its own type",
};

const cells = new Map(); // tool -> Map(feature -> true | false | reason)
const cellsOf = (tool) => cells.get(tool) ?? cells.set(tool, new Map()).get(tool);

/** A check that stands for features of a tool. */
export async function feature(tool, ids, name, fn) {
  const mine = cellsOf(tool);
  let passed;
  const value = await check(`${tool}: ${name}`, async () => {
    passed = false;
    const v = await fn();
    passed = true;
    return v;
  });
  if (passed !== undefined) for (const id of ids) mine.set(id, passed && mine.get(id) !== false);
  return value;
}

/** The tool has no such thing; `fn` shows it. */
export async function cannot(tool, id, reason, fn) {
  let shown;
  await check(`${tool} cannot: ${FEATURES[id]}: ${reason}`, async () => {
    shown = false;
    await fn();
    shown = true;
  });
  if (shown !== undefined) cellsOf(tool).set(id, shown ? reason : false);
}

/** Prints the table of these tools; a cell that nothing filled is a failure, unless only some checks were asked for. */
export function printMatrix(tools) {
  const width = Math.max(...Object.values(FEATURES).map((t) => t.length));
  const show = (c) => (c === undefined ? "?" : c === true ? "yes" : c === false ? "FAIL" : "-");
  console.log(`\n${"".padEnd(width)}  ${tools.map((t) => t.padEnd(8)).join(" ")}`);
  const reasons = [];
  for (const [id, title] of Object.entries(FEATURES)) {
    const row = tools.map((t) => cellsOf(t).get(id));
    console.log(`${title.padEnd(width)}  ${row.map((c) => show(c).padEnd(8)).join(" ")}`.trimEnd());
    row.forEach((c, i) => {
      if (typeof c === "string") reasons.push(`${tools[i]}, ${title}: ${c}`);
      if (c === undefined && !process.env.FILTER) {
        counts.failed++;
        reasons.push(`${tools[i]}, ${title}: NOT SHOWN`);
      }
    });
  }
  reasons.forEach((r) => console.log(`- ${r}`));
  console.log("");
}
