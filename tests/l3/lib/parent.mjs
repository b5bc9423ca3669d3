// Anvil as an Arbitrum-like parent chain.
import { spawn } from "node:child_process";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ethers } from "ethers";
import { Node, onExit, tempDir } from "../../func/lib/node.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const arch = process.arch === "x64" ? "amd64" : process.arch;
const program = path.join(here, `../node_modules/@foundry-rs/anvil-${process.platform}-${arch}/bin/anvil`);
export const PARENT_CHAIN_ID = 412346;
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

export class Parent extends Node {
  static async start(args = []) {
    const p = new Parent();
    const port = await freePort(), home = tempDir();
    p.args = ["--silent", "--port", String(port), "--chain-id", String(PARENT_CHAIN_ID), "--slots-in-an-epoch", "1",
      "--base-fee", "100000000", ...args];
    p.child = spawn(program, p.args, {
      stdio: "ignore",
      env: { PATH: process.env.PATH, HOME: home, TMPDIR: home },
      cwd: home,
    });
    onExit(() => p.child.kill("SIGKILL"));
    p.exited = new Promise((resolve) => p.child.on("exit", (code, signal) => resolve({ code, signal })));
    p.url = `http://127.0.0.1:${port}`;
    for (const end = performance.now() + READY_MS; ; await new Promise((r) => setTimeout(r, 20))) {
      if (await p.call("eth_chainId").catch(() => undefined)) break;
      if (performance.now() > end) throw new Error(`anvil is not ready in ${READY_MS} ms`);
    }
    p.provider = new ethers.providers.StaticJsonRpcProvider(p.url, PARENT_CHAIN_ID);
    p.provider.pollingInterval = 20;
    // ArbSys: arbBlockNumber() is NUMBER, the rest 111; ArbGasInfo: all 0. So the contracts take it for an Arbitrum chain.
    await p.rpc("anvil_setCode", [
      "0x0000000000000000000000000000000000000064", "0x5f3560e01c8063a3b1b31d14601757606f5f5260205ff35b435f5260205ff3",
    ]);
    await p.rpc("anvil_setCode", ["0x000000000000000000000000000000000000006c", "0x5f5f5260205ff3"]);
    return p;
  }

  /** The idx-th funded account. */
  wallet(idx) {
    const phrase = "test test test test test test test test test test test junk";
    return ethers.Wallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${idx}`).connect(this.provider);
  }

  mine(blocks = 1) {
    return this.rpc("anvil_mine", [ethers.utils.hexValue(blocks)]);
  }
}
