// An HTTP server in front of a node, whose line can be bad in several ways.
import http from "node:http";

export class Front {
  /** `url()` is where it passes requests on to. */
  static async start(url) {
    const f = Object.assign(new Front(), { target: url, fault: "none", asked: 0, marked: 0, held: [] });
    f.server = http.createServer((q, s) => f.serve(q, s));
    await new Promise((resolve) => f.server.listen(0, "127.0.0.1", resolve));
    f.server.unref();
    f.url = `http://127.0.0.1:${f.server.address().port}`;
    return f;
  }

  async serve(request, response) {
    const chunks = [];
    for await (const c of request) chunks.push(c);
    this.asked++;
    if (request.headers["x-callipter-forwarded"] !== undefined) this.marked++;
    const pass = async () => {
      const { host, connection, "content-length": length, ...headers } = request.headers;
      const reply = await fetch(this.target() + request.url.replace(/^\/$/, ""), { method: "POST", headers, body: Buffer.concat(chunks) });
      return { status: reply.status, text: await reply.text() };
    };
    const answer = (status, type, text) => response.writeHead(status, { "content-type": type }).end(text);
    try {
      if (this.fault === "cut") return void response.destroy();
      if (this.fault === "lose") return await pass(), void response.destroy();
      if (this.fault === "page") return void answer(200, "text/html", "<html>{}</html>");
      if (this.fault === "status") return void answer(502, "text/html", "bad gateway");
      if (this.fault === "hold") await new Promise((resolve) => this.held.push(resolve));
      const { status, text } = await pass();
      answer(status, "application/json", text);
    } catch {
      response.destroy(); // nobody is there
    }
  }

  /** What was held goes on. */
  release() {
    this.fault = "none";
    this.held.splice(0).forEach((resolve) => resolve());
  }

  stop() {
    this.server.close();
    this.server.closeAllConnections();
  }
}
