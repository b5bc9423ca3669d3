// scripts/l3/run.mjs and demo.mjs, as `make run-l3` starts them, and bench.mjs.
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { assert, check } from "../func/lib/suite.mjs";
import { until } from "../func/lib/wait.mjs";
import { abis, viem } from "./lib/parent.mjs";

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../scripts/l3");

async function plain() {
  const child = spawn(process.execPath, [path.join(folder, "run.mjs")], {
    env: { ...process.env, L3_PORT: "0", PARENT_PORT: "0" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  process.on("exit", () => child.kill("SIGKILL"));
  let said = "";
  child.stdout.on("data", (d) => (said += d));
  child.stderr.on("data", (d) => (said += d));
  const exited = new Promise((resolve) => child.on("exit", (code, signal) => resolve({ code, signal })));
  const value = (name) => new RegExp(`^${name} +(\\S+)`, "m").exec(said)?.[1];

  const up = await check("run: everything starts and a deposit arrives", async () => {
    await until("ready", () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${said}`);
      return said.includes("ready; Ctrl-C ends it");
    });
    assert.match(said, /the user has 10 ETH on the L3/);
    return true;
  });
  if (!up) return void child.kill("SIGKILL");
  await check("run: the committee confirms the batch that reads the deposit", async () => {
    const parent = viem.createPublicClient({ transport: viem.http(value("parent")) });
    const child = viem.createPublicClient({ transport: viem.http(value("L3")) });
    const filter = { address: value("rollup"), abi: abis.rollup, eventName: "AssertionConfirmed", fromBlock: 0n };
    const head = await child.getBlock();
    assert.ok(head.number >= 1n);
    await until("the confirmation", async () => {
      const events = await parent.getContractEvents(filter);
      return events.some((e) => e.args.blockHash === head.hash);
    });
  });
  await check("run: it ends with all its processes", async () => {
    child.kill("SIGINT");
    assert.deepEqual(await exited, { code: 0, signal: null });
    await assert.rejects(fetch(value("L3")));
    await assert.rejects(fetch(value("parent")));
  });
}

/** Runs a program of scripts/l3 to its end, which must be a success; gives what it printed. */
async function output(program, ...args) {
  const child = spawn(process.execPath, [path.join(folder, program), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  process.on("exit", () => child.kill("SIGKILL"));
  let said = "", complaints = "";
  child.stdout.on("data", (d) => (said += d));
  child.stderr.on("data", (d) => (complaints += d));
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(code, 0, `${said}\n${complaints}`);
  return said.trimEnd();
}

async function programs() {
  await check("run: the demonstration ends with a withdrawal on the parent", async () => {
    assert.equal((await output("demo.mjs")).split("\n").at(-1), "withdrawal executed");
  });
  await check("run: the measurement of minting has all its figures", async () => {
    const { rows } = JSON.parse(await output("bench.mjs", "--json", "--items", "300"));
    for (const unit of ["s", "1/s", "gas", "bytes"]) assert.ok(rows.some((r) => r.unit === unit && r.value > 0), unit);
    assert.ok(rows.every((r) => r.bench === "mint" && r.value > 0));
  });
}

export async function run() {
  await plain();
  await programs();
}
