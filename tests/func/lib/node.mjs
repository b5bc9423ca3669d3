// Starts and stops the binary, and talks to it without any client library.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export const BINARY = process.env.CALLIPTER ?? "build/callipter";
export const READY_MS = 60000; // a machine may be busy
const STOP_MS = 1000; // what a stop may take; on a machine that is slow as its own start shows, STARTS starts
const STARTS = 5;
const STOP_MOST_MS = 4000; // below what a WebSocket that does not close is given

const atExit = [];
process.on("exit", () => atExit.reverse().forEach((fn) => fn())); // a node ends before its folder goes

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
  static start(dir, args = [], env = {}) {
    return new this().launch(BINARY, ["--dev", ...(dir ? ["--datadir", dir] : []), ...args], env);
  }

  /** Runs `binary` with its HTTP server on a free port until the test process ends, and waits until it serves. */
  async launch(binary, args, env) {
    const options = { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } };
    const begun = performance.now();
    this.child = spawn(binary, ["run", "--http", "127.0.0.1:0", ...args], options);
    this.watch();
    if (process.env.TRACE) this.child.stderr.pipe(process.stderr);
    const [, address, chain, block] = await this.said(/^ready http=(\S+) chain=(\d+) block=(\d+)$/m);
    this.startMs = performance.now() - begun;
    return Object.assign(this, { address, chainId: Number(chain), block: Number(block), url: `http://${address}` });
  }

  /** The child ends with this process; `err` is what it complained of, `exited` how it ended, when all it said is there. */
  watch() {
    onExit(() => this.child.kill("SIGKILL"));
    this.out = this.err = "";
    this.exited = new Promise((resolve) => this.child.on("close", (code, signal) => resolve({ code, signal })));
    this.child.stderr.on("data", (d) => (this.err += d));
  }

  /** Keeps in `out` what the child prints; gives the match of `pattern` as soon as there is one. */
  said(pattern) {
    return new Promise((resolve, reject) => {
      const fail = (what) => reject(new Error(`${what}\n${this.out}\n${this.err}`));
      const timer = setTimeout(() => fail(`not ready in ${READY_MS} ms`), READY_MS);
      let found;
      this.child.stdout.on("data", (d) => {
        this.out += d;
        found ??= pattern.exec(this.out);
        if (!found) return;
        clearTimeout(timer);
        resolve(found);
      });
      this.exited.then((e) => {
        clearTimeout(timer);
        fail(`exited with ${JSON.stringify(e)} before it was ready`);
      });
    });
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

  /** Sends a signal and waits for the end: {code, signal, ms, isPrompt}. */
  async stop(signal = "SIGTERM") {
    const begun = performance.now();
    this.child.kill(signal);
    const end = await this.exited;
    const ms = performance.now() - begun;
    return { ...end, ms, isPrompt: ms < Math.min(STOP_MOST_MS, Math.max(STOP_MS, STARTS * (this.startMs ?? 0))) };
  }
}

/** The development accounts as the binary prints them: {address, key}. */
export function devAccounts(node) {
  return [...node.out.matchAll(/\(\d+\) (0x[0-9a-f]{40})\s+key (0x[0-9a-f]{64})/g)].map((m) => ({
    address: m[1],
    key: m[2],
  }));
}
