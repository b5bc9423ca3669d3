// Foundry's Anvil as a peer: the program itself, with a home of its own, and the same calls as lib/node.mjs.
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../../scripts/l3/anvil.mjs";
import { Node, READY_MS, tempDir } from "./node.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const arch = process.arch === "x64" ? "amd64" : process.arch;
export const ANVIL = path.join(here, `../node_modules/@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`);
const fixed = (chainId, gasLimit) => [
  ...["--hardfork", "osaka", "--enable-tx-gas-limit", "--color", "never", "--base-fee", "10000000"],
  ...["--chain-id", String(chainId), "--gas-limit", String(gasLimit)],
];

export class Anvil extends Node {
  /** Starts on a free port with Osaka's rules; it mines each transaction as it comes. */
  static async start(chainId, gasLimit, args = []) {
    const anvil = new Anvil().spawn(["--port", "0", ...fixed(chainId, gasLimit), ...args]);
    const [, address] = await anvil.said(/Listening on (\S+)/);
    anvil.child.stdout.removeAllListeners("data").resume(); // what it prints per call is not kept
    anvil.url = `http://${address}`;
    return anvil;
  }

  /** The same without a word on its standard output, which makes it faster. */
  static async startQuiet(chainId, gasLimit, args = []) {
    const port = await freePort();
    const anvil = new Anvil().spawn(["--silent", "--port", String(port), ...fixed(chainId, gasLimit), ...args]);
    anvil.url = `http://127.0.0.1:${port}`;
    for (const end = performance.now() + READY_MS; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const answer = await anvil.call("eth_chainId").catch(() => undefined);
      if (anvil.child.exitCode !== null) throw new Error(`anvil ended before it was ready\n${anvil.err}`);
      if (answer) return anvil;
      if (performance.now() > end) throw new Error(`anvil is not ready in ${READY_MS} ms`);
    }
  }

  spawn(args) {
    const home = tempDir();
    const env = { PATH: process.env.PATH, HOME: home, TMPDIR: home };
    this.child = spawn(ANVIL, args, { stdio: ["ignore", "pipe", "pipe"], env, cwd: home });
    this.watch();
    return this;
  }
}
