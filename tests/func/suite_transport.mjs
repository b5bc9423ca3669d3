// What carries the calls: compression, TLS, Expect, host names.
import { execFileSync } from "node:child_process";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import WebSocket from "ws";
import { Node, devAccounts, tempDir } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

/** One request: {status, headers, body}. */
function request(lib, options, body, onContinue) {
  return new Promise((resolve, reject) => {
    const req = lib.request({ method: "POST", ...options }, (res) => {
      const parts = [];
      res.on("data", (d) => parts.push(d));
      res.on("end", () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts) }));
    });
    req.on("error", reject);
    if (onContinue) {
      req.on("continue", () => {
        onContinue();
        req.end(body);
      });
      req.flushHeaders();
    } else {
      req.end(body);
    }
  });
}

const call = (method, params = []) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });

export async function run() {
  const node = await Node.start();
  const [hostname, port] = node.address.split(":");
  const post = (body, headers = {}, onContinue) =>
    request(http, { hostname, port, headers: { "content-type": "application/json", ...headers } }, body, onContinue);
  const many = (n) => JSON.stringify([...Array(n).keys()].map((id) => ({ id, method: "eth_getBlockByNumber", params: ["0x0", false] })));

  await check("transport: gzip for who takes it, of what is worth it", async () => {
    for (const n of [2, 10, 900]) {
      const plain = await post(many(n));
      assert.equal(plain.headers["content-encoding"], undefined);
      const packed = await post(many(n), { "accept-encoding": "deflate, gzip;q=0.5" });
      assert.equal(packed.headers["content-encoding"], "gzip");
      assert.match(packed.headers.vary, /Accept-Encoding/);
      assert.ok(packed.body.length < plain.body.length / 2);
      assert.deepEqual(gunzipSync(packed.body), plain.body);
    }
    const short = await post(call("eth_chainId"), { "accept-encoding": "gzip" });
    assert.equal(short.headers["content-encoding"], undefined);
    const refused = await post(many(10), { "accept-encoding": "gzip;q=0, identity" });
    assert.equal(refused.headers["content-encoding"], undefined);
  });

  await check("transport: long and short compressed replies keep the order of their requests", async () => {
    const [first, second] = [many(900), call("eth_chainId")];
    const head = (b) => `POST / HTTP/1.1\r\nHost: x.localhost\r\nAccept-Encoding: gzip\r\nContent-Length: ${b.length}\r\n\r\n${b}`;
    const socket = net.connect(Number(port), hostname);
    socket.write(head(first).replace("x.localhost", "localhost") + head(second).replace("x.localhost", "localhost"));
    let got = Buffer.alloc(0);
    await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("data", (d) => {
        got = Buffer.concat([got, d]);
        if (got.includes('"result":"0xa179"')) resolve();
      });
    });
    socket.destroy();
    assert.ok(got.indexOf("Content-Encoding: gzip") < got.indexOf('"result":"0xa179"'));
  });

  await check("transport: Expect: 100-continue; chunked bodies", async () => {
    let continued = false;
    const r = await post(call("eth_chainId"), { expect: "100-continue", "transfer-encoding": "chunked" }, () => (continued = true));
    assert.ok(continued);
    assert.equal(JSON.parse(r.body).result, "0xa179");
  });

  await check("transport: host names", async () => {
    const status = async (host) => (await post(call("eth_chainId"), { host })).status;
    assert.equal(await status("evil.example"), 403);
    assert.equal(await status("localhost:1"), 200);
    assert.equal(await status("10.1.2.3"), 200);
    assert.match((await post(call("eth_chainId"), { host: "evil.example" })).body.toString(), /--http-vhosts/);
  });
  await node.stop();

  await tls();
}

async function tls() {
  const dir = tempDir();
  const [cert, key] = [path.join(dir, "cert.pem"), path.join(dir, "key.pem")];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
      "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
    { stdio: "pipe" },
  );
  const node = await Node.start(undefined, ["--tls-cert", cert, "--tls-key", key]);
  const [hostname, port] = node.address.split(":");
  const trust = { ca: execFileSync("cat", [cert]) };

  await check("transport: TLS, kept alive, with large replies", async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const post = (body) => request(https, { hostname, port, agent, ...trust, headers: { "content-type": "application/json" } }, body);
    for (let i = 0; i < 3; i++) assert.equal(JSON.parse((await post(call("eth_chainId"))).body).result, "0xa179");
    const big = await post(JSON.stringify([...Array(1000).keys()].map((id) => ({ id, method: "eth_getBlockByNumber", params: ["0x0", true] }))));
    assert.equal(JSON.parse(big.body).length, 1000);
    agent.destroy();
  });

  await check("transport: subscriptions over wss", async () => {
    const s = new WebSocket(`wss://${node.address}`, trust);
    const messages = [];
    let wake = () => {};
    s.on("message", (m) => {
      messages.push(JSON.parse(m));
      wake();
    });
    const until = async (f) => {
      while (!f()) await new Promise((resolve) => (wake = resolve));
    };
    await new Promise((resolve, reject) => {
      s.on("open", resolve);
      s.on("error", reject);
    });
    s.send(call("eth_subscribe", ["newHeads"]));
    await until(() => messages.length === 1);
    const [a, b] = devAccounts(node);
    s.send(call("eth_sendTransaction", [{ from: a.address, to: b.address, value: "0x1" }]));
    await until(() => messages.some((m) => m.params?.result.number === "0x1"));
    const closed = new Promise((resolve) => s.on("close", resolve));
    s.close();
    assert.equal(await closed, 1005);
  });

  await check("transport: plain HTTP on a TLS port gets nothing, and harms nobody", async () => {
    await assert.rejects(request(http, { hostname, port }, call("eth_chainId")));
    const r = await request(https, { hostname, port, ...trust }, call("eth_chainId"));
    assert.equal(JSON.parse(r.body).result, "0xa179");
  });
  await node.stop();

  await check("transport: a certificate that cannot be used is refused at the start", async () => {
    await assert.rejects(Node.start(undefined, ["--tls-cert", key, "--tls-key", key]), /--tls-cert/);
    await assert.rejects(Node.start(undefined, ["--tls-cert", cert]), /go together/);
  });
}
