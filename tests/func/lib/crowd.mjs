// Clients that send one byte a second, in a process of their own so that what they cost is not taken for the node's slowness.
// As a program (forked by Crowd): ADDRESS PORT COUNT; each "start" connects them all, each "stop" ends them.
import { fork } from "node:child_process";
import net from "node:net";
import { fileURLToPath } from "node:url";

const STEPS = 50; // the clients are spread over the second

export class Crowd {
  constructor(address, count) {
    const at = address.lastIndexOf(":");
    this.child = fork(fileURLToPath(import.meta.url), [address.slice(0, at), address.slice(at + 1), String(count)]);
  }

  tell(message) {
    this.child.send(message);
    return new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`the crowd has ended with ${code}`));
      this.child.once("exit", ended);
      this.child.once("message", (answer) => {
        this.child.off("exit", ended);
        resolve(answer);
      });
    });
  }

  /** Connects all; done when each has sent its first byte. */
  start() {
    return this.tell("start");
  }

  /** Ends all: {open: how many were still being listened to, why: what befell one that was not}. */
  stop() {
    return this.tell("stop");
  }

  end() {
    this.child.kill();
  }
}

/** The program. */
function serve(host, port, count) {
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}';
  const text = Buffer.from(`POST / HTTP/1.1\r\nHost: localhost\r\nX-Padding: slow\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  let all = [];
  let timer;
  const connect = () =>
    new Promise((resolve) => {
      const c = { socket: net.connect({ host, port, noDelay: true }) };
      for (const event of ["end", "error", "data"]) c.socket.on(event, (x) => (c.why ??= `${event} ${x ?? ""}`.slice(0, 200)));
      c.socket.on("connect", () => resolve(c));
      c.socket.on("error", () => resolve(c));
    });
  const start = async () => {
    all = await Promise.all(Array.from({ length: count }, connect));
    let tick = 0;
    await new Promise((resolve) => {
      timer = setInterval(() => {
        const [round, part] = [Math.floor(tick / STEPS), tick % STEPS];
        if (++tick === STEPS) resolve();
        for (let i = part; i < count; i += STEPS) all[i].socket.write(text.subarray(round, round + 1));
      }, 1000 / STEPS);
    });
    process.send({ connected: all.length });
  };
  const stop = () => {
    clearInterval(timer);
    const lost = all.filter((c) => c.why);
    all.forEach((c) => c.socket.destroy());
    process.send({ open: all.length - lost.length, why: lost[0]?.why });
  };
  process.on("message", (m) => (m === "start" ? start() : stop()));
  process.on("disconnect", () => process.exit(0));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) serve(process.argv[2], Number(process.argv[3]), Number(process.argv[4]));
