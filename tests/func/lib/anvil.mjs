// Foundry's Anvil as a peer: the program itself, with a home of its own, and the same calls as lib/node.mjs.
import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Node, onExit, tempDir } from "./node.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const arch = process.arch === "x64" ? "amd64" : process.arch;
const program = path.join(here, `../node_modules/@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`);
const READY_MS = 20000;

export class Anvil extends Node {
  /** Starts on a free port with Osaka's rules; it mines each transaction as it comes. */
  static async start(chainId, gasLimit, args = []) {
    const anvil = new Anvil();
    const fixed = ["--port", "0", "--hardfork", "osaka", "--enable-tx-gas-limit", "--color", "never", "--base-fee", "10000000"];
    const chain = ["--chain-id", String(chainId), "--gas-limit", String(gasLimit)];
    const home = tempDir();
    anvil.child = spawn(program, [...fixed, ...chain, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
      cwd: home,
    });
    onExit(() => anvil.child.kill("SIGKILL"));
    anvil.out = "";
    anvil.err = "";
    anvil.exited = new Promise((resolve) => anvil.child.on("exit", (code, signal) => resolve({ code, signal })));
    anvil.child.stderr.on("data", (d) => (anvil.err += d));
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`anvil is not ready in ${READY_MS} ms\n${anvil.out}`)), READY_MS);
      const ready = (d) => {
        if (anvil.url) return; // what it prints per call is not kept
        anvil.out += d;
        const m = /Listening on (\S+)/.exec(anvil.out);
        if (!m) return;
        clearTimeout(timer);
        anvil.url = `http://${m[1]}`;
        resolve();
      };
      anvil.child.stdout.on("data", ready);
      anvil.exited.then((e) => reject(new Error(`anvil exited with ${JSON.stringify(e)}\n${anvil.out}\n${anvil.err}`)));
    });
    return anvil;
  }
}
