// A WebSocket client without a library: it can do what libraries do not let one do.
import net from "node:net";
import { randomBytes } from "node:crypto";
import { WAIT_MS } from "./wait.mjs";

/** Sends the opening handshake: {socket, status, headers, rest}. */
export function handshake(address, o = {}) {
  const [host, port] = address.split(":");
  const socket = net.connect(Number(port), host);
  const lines = [
    `GET ${o.path ?? "/"} HTTP/1.1`,
    `Host: ${o.host ?? address}`,
    `Upgrade: ${o.upgrade ?? "websocket"}`,
    "Connection: keep-alive, Upgrade",
    `Sec-WebSocket-Key: ${o.key ?? randomBytes(16).toString("base64")}`,
    `Sec-WebSocket-Version: ${o.version ?? "13"}`,
    ...(o.origin ? [`Origin: ${o.origin}`] : []),
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const onData = (d) => {
      got = Buffer.concat([got, d]);
      const end = got.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData);
      const [first, ...rest] = got.subarray(0, end).toString().split("\r\n");
      const headers = Object.fromEntries(rest.map((l) => [l.split(":")[0].toLowerCase(), l.slice(l.indexOf(":") + 1).trim()]));
      resolve({ socket, status: Number(first.split(" ")[1]), headers, rest: got.subarray(end + 4) });
    };
    socket.on("data", onData);
    socket.on("error", reject);
  });
}

export class RawSocket {
  static async open(address, o = {}) {
    const h = await handshake(address, o);
    if (h.status !== 101) throw new Error(`handshake: ${h.status}`);
    const s = new RawSocket();
    s.socket = h.socket;
    s.input = h.rest;
    s.frames = [];
    s.waiting = [];
    s.id = 0;
    s.socket.removeAllListeners("error");
    s.socket.on("error", () => s.end());
    s.socket.on("close", () => s.end());
    s.socket.on("data", (d) => {
      s.input = Buffer.concat([s.input, d]);
      s.parse();
    });
    s.parse();
    return s;
  }

  /** A client's frame: opcode and payload; masked and final unless told otherwise. */
  static frame(opcode, payload, { fin = true, mask = true, rsv = 0 } = {}) {
    const data = Buffer.from(payload);
    const head = [(fin ? 0x80 : 0) | rsv | opcode];
    const bit = mask ? 0x80 : 0;
    if (data.length < 126) head.push(bit | data.length);
    else if (data.length < 65536) head.push(bit | 126, data.length >> 8, data.length & 255);
    else {
      head.push(bit | 127);
      const len = Buffer.alloc(8);
      len.writeBigUInt64BE(BigInt(data.length));
      head.push(...len);
    }
    if (!mask) return Buffer.concat([Buffer.from(head), data]);
    const key = randomBytes(4);
    const masked = Buffer.from(data.map((b, i) => b ^ key[i % 4]));
    return Buffer.concat([Buffer.from(head), key, masked]);
  }

  parse() {
    for (;;) {
      const b = this.input;
      if (b.length < 2) return;
      let [len, at] = [b[1] & 127, 2];
      if (len === 126) {
        if (b.length < 4) return;
        [len, at] = [b.readUInt16BE(2), 4];
      } else if (len === 127) {
        if (b.length < 10) return;
        [len, at] = [Number(b.readBigUInt64BE(2)), 10];
      }
      if (b.length < at + len) return;
      this.frames.push({ opcode: b[0] & 15, payload: b.subarray(at, at + len) });
      this.input = b.subarray(at + len);
      this.waiting.shift()?.();
    }
  }

  end() {
    this.ended = true;
    this.waiting.splice(0).forEach((f) => f());
  }

  /** The next frame of any kind; undefined when the connection has ended. */
  async frame() {
    while (this.frames.length === 0 && !this.ended) {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no frame in ${WAIT_MS} ms`)), WAIT_MS);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.frames.shift();
  }

  /** The next text message, parsed. */
  async next() {
    const f = await this.frame();
    if (f?.opcode !== 1) throw new Error(`no text but ${f ? `${f.opcode}: ${f.payload.toString("latin1")}` : "the end"}`);
    return JSON.parse(f.payload);
  }

  text(s) {
    this.socket.write(RawSocket.frame(1, s));
  }

  async call(method, params = []) {
    const id = ++this.id;
    this.text(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    for (;;) {
      const m = await this.next();
      if (m.id === id) return m;
      if (m.method !== "eth_subscription") throw new Error(`an unexpected message: ${JSON.stringify(m)}`);
      (this.notes ??= []).push(m);
    }
  }

  /** Skips to the close frame: {code, reason}. */
  async closed() {
    for (let f; (f = await this.frame()); )
      if (f.opcode === 8) return { code: f.payload.readUInt16BE(0), reason: f.payload.subarray(2).toString() };
    return { code: 0, reason: "no close frame" };
  }

  close() {
    this.socket.end(RawSocket.frame(8, Buffer.from([3, 232])));
  }
}
