// Foundry's Anvil on a free port, made to look like an Arbitrum chain to contracts.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const program = path.join(
  path.dirname(fileURLToPath(import.meta.url)),
  "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil",
);
const READY_MS = 60000; // a machine may be busy

/** A port that nobody has for now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// What the parent's contracts ask of ArbSys and ArbGasInfo, in code of our own: arbBlockNumber() (0xa3b1b31d) is the number of
// the block and everything else 111, which is an arbOSVersion; all fees are 0.
const ARB_SYS = "0x5f3560e01c8063a3b1b31d14601757606f5f5260205ff35b435f5260205ff3";
const ARB_GAS_INFO = "0x5f5f5260205ff3";

export class Anvil {
  /** options: chainId, port (free by default), arbitrum (true), args. */
  static async start({ chainId = 412346, port, arbitrum = true, args = [] } = {}) {
    const anvil = new this();
    const home = mkdtempSync(path.join(os.tmpdir(), "callipter-anvil-"));
    port ??= await freePort();
    anvil.url = `http://127.0.0.1:${port}`;
    anvil.chainId = chainId;
    const fixed = ["--silent", "--port", String(port), "--chain-id", String(chainId), "--hardfork", "prague"];
    // Its output goes nowhere: an inherited pipe would keep a calling shell waiting.
    anvil.child = spawn(program, [...fixed, ...args], {
      stdio: "ignore",
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
    });
    anvil.exited = new Promise((resolve) => anvil.child.on("exit", resolve));
    anvil.child.on("exit", () => rmSync(home, { recursive: true, force: true }));
    process.on("exit", () => anvil.child.kill("SIGKILL"));
    for (const end = Date.now() + READY_MS; ; await new Promise((r) => setTimeout(r, 20))) {
      if (await anvil.rpc("eth_chainId", []).catch(() => undefined)) break;
      if (Date.now() > end || anvil.child.exitCode !== null) throw new Error("anvil does not start");
    }
    // Before anything is deployed: contracts of the parent keep what they find in their code.
    if (arbitrum) {
      await anvil.rpc("anvil_setCode", [`0x${"64".padStart(40, "0")}`, ARB_SYS]);
      await anvil.rpc("anvil_setCode", [`0x${"6c".padStart(40, "0")}`, ARB_GAS_INFO]);
    }
    return anvil;
  }

  async rpc(method, params = []) {
    const reply = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    });
    const { result, error } = await reply.json();
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  }

  async stop() {
    this.child.kill("SIGTERM");
    await this.exited;
  }
}
