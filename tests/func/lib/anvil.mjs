// Foundry's Anvil as a peer: the program itself, with a home of its own, and the same calls as lib/node.mjs.
import { spawn } from "node:child_process";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Node, onExit, tempDir } from "./node.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const arch = process.arch === "x64" ? "amd64" : process.arch;
const program = path.join(here, `../node_modules/@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`);
const READY_MS = 20000;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Anvil extends Node {
  /** Starts on a free port with Osaka's rules; it mines each transaction as it comes. */
  static async start(chainId, gasLimit, args = []) {
    return Anvil.launch(["--port", "0"], chainId, gasLimit, args);
  }

  /** The same without a word on its standard output, which makes it faster. */
  static async startQuiet(chainId, gasLimit, args = []) {
    const port = await freePort();
    const anvil = await Anvil.launch(["--silent", "--port", String(port)], chainId, gasLimit, args, `127.0.0.1:${port}`);
    for (const end = performance.now() + READY_MS; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
      const answer = await anvil.call("eth_chainId").catch(() => undefined);
      if (answer) return anvil;
      if (performance.now() > end) throw new Error(`anvil is not ready in ${READY_MS} ms`);
    }
  }

  static async launch(first, chainId, gasLimit, args, quietAddress) {
    const anvil = new Anvil();
    const fixed = [...first, "--hardfork", "osaka", "--enable-tx-gas-limit", "--color", "never", "--base-fee", "10000000"];
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
    if (quietAddress) {
      anvil.url = `http://${quietAddress}`;
      return anvil;
    }
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
