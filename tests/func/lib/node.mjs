// Starts and stops the binary, and talks to it without any client library.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export const BINARY = process.env.CALLIPTER ?? "build/callipter";
const READY_MS = 20000;

const atExit = [];
process.on("exit", () => atExit.forEach((fn) => fn()));

/** Runs fn, which must not wait for anything, when the test process ends. */
export const onExit = (fn) => void atExit.push(fn);

/** A folder that is removed when the test process ends. */
export function tempDir() {
  const dir = mkdtempSync(path.join(tmpdir(), "callipter-func-"));
  onExit(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export class Node {
  /** Starts on a free port and waits until it serves. `args` come after --dev, `env` is added to the environment. */
  static async start(dir, args = [], env = {}) {
    const node = new Node();
    const flags = ["run", "--dev", "--http", "127.0.0.1:0", ...(dir ? ["--datadir", dir] : []), ...args];
    node.child = spawn(BINARY, flags, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    node.out = "";
    node.err = "";
    node.exited = new Promise((resolve) => node.child.on("exit", (code, signal) => resolve({ code, signal })));
    node.child.stderr.on("data", (d) => (node.err += d));
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`not ready in ${READY_MS} ms\n${node.err}`)), READY_MS);
      node.child.stdout.on("data", (d) => {
        node.out += d;
        const m = /^ready http=(\S+) chain=(\d+) block=(\d+)$/m.exec(node.out);
        if (!m) return;
        clearTimeout(timer);
        [node.address, node.chainId, node.block] = [m[1], Number(m[2]), Number(m[3])];
        node.url = `http://${m[1]}`;
        resolve();
      });
      node.exited.then((e) => reject(new Error(`exited with ${JSON.stringify(e)} before it was ready\n${node.err}`)));
    });
    return node;
  }

  /** The raw JSON-RPC answer. */
  async call(method, params = []) {
    return this.post({ jsonrpc: "2.0", id: 1, method, params });
  }

  /** The result; throws on an error. */
  async rpc(method, params = []) {
    const r = await this.call(method, params);
    if (r.error) throw Object.assign(new Error(`${method}: ${r.error.message}`), r.error);
    return r.result;
  }

  async post(body, headers = {}) {
    const res = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await res.text();
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Sends a signal and waits for the end: {code, signal, ms}. */
  async stop(signal = "SIGTERM") {
    const begun = performance.now();
    this.child.kill(signal);
    const end = await this.exited;
    return { ...end, ms: performance.now() - begun };
  }
}

/** The development accounts as the binary prints them: {address, key}. */
export function devAccounts(node) {
  return [...node.out.matchAll(/\(\d+\) (0x[0-9a-f]{40})\s+key (0x[0-9a-f]{64})/g)].map((m) => ({
    address: m[1],
    key: m[2],
  }));
}
