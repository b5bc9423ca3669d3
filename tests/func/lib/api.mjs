// The universes' API without any client library, and its answers held against the schemas that the node itself gives.
import { strict as assert } from "node:assert";

/** What is printed with --dev. */
export const adminKey = (node) => /ak_[0-9a-f]{16}_[0-9a-f]{64}/.exec(node.out)[0];

/** One request: {status, replayed, requestId, body}. `key`: an API key or undefined. */
export async function request(node, verb, path, { body, key, headers = {}, signal } = {}) {
  const res = await fetch(node.url + path, {
    method: verb,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  const text = await res.text();
  return {
    status: res.status,
    type: res.headers.get("content-type"),
    replayed: res.headers.get("idempotent-replayed") === "true",
    requestId: res.headers.get("x-request-id"),
    text,
    body: /json/.test(res.headers.get("content-type") ?? "") ? JSON.parse(text) : undefined,
  };
}

/** Follows JSON Schema as far as the node's documents use it; throws with the place of the first difference. */
export function conforms(doc, schema, value, at = "$") {
  if (schema.$ref) return conforms(doc, doc.components.schemas[schema.$ref.split("/").pop()], value, at);
  if (schema.oneOf) {
    const fits = schema.oneOf.filter((s) => {
      try {
        conforms(doc, s, value, at);
        return true;
      } catch {
        return false;
      }
    });
    assert.ok(fits.length > 0, `${at}: ${JSON.stringify(value)} fits none of its forms`);
    return;
  }
  if (schema.type === "object") {
    assert.equal(value !== null && typeof value === "object" && !Array.isArray(value), true, `${at}: no object`);
    for (const name of schema.required ?? []) assert.ok(name in value, `${at}: lacks ${name}`);
    for (const [name, v] of Object.entries(value)) {
      assert.ok(name in schema.properties, `${at}: has ${name}, which is not described`);
      conforms(doc, schema.properties[name], v, `${at}.${name}`);
    }
  } else if (schema.type === "array") {
    assert.ok(Array.isArray(value), `${at}: no list`);
    value.forEach((v, i) => conforms(doc, schema.items, v, `${at}[${i}]`));
  } else if (schema.type === "integer") {
    assert.ok(Number.isInteger(value), `${at}: ${JSON.stringify(value)} is no integer`);
  } else if (schema.type) {
    assert.equal(typeof value, schema.type, at);
    if (schema.pattern) assert.match(value, new RegExp(schema.pattern), at);
    if (schema.maxLength !== undefined) assert.ok(value.length <= schema.maxLength, `${at}: too long`);
  }
}

/** Every operation of an OpenAPI document: {verb, path, op}. */
export const operations = (doc) =>
  Object.entries(doc.paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, op]) => ({ verb: verb.toUpperCase(), path, op })));

/** A client whose answers must be those of the documents. */
export class Api {
  constructor(node, doc) {
    Object.assign(this, { node, doc });
  }

  static async of(node) {
    const { body } = await request(node, "GET", "/v1/openapi.json");
    return new Api(node, body);
  }

  /** A request by the operation's name; `path` fills in the path. Gives the answer, which has been looked at. */
  async call(name, { path = {}, query = {}, ...rest } = {}) {
    const { verb, path: form, op } = operations(this.doc).find((o) => o.op.operationId === name);
    const target = form.replaceAll(/\{(\w+)\}/g, (_, p) => encodeURIComponent(path[p]));
    const search = new URLSearchParams(query).toString();
    const r = await request(this.node, verb, search ? `${target}?${search}` : target, rest);
    const ok = Object.keys(op.responses).find((s) => Number(s) === r.status);
    conforms(this.doc, op.responses[ok ?? "default"].content[ok ? "application/json" : "application/problem+json"].schema, r.body, name);
    assert.equal(r.type, ok ? "application/json" : "application/problem+json");
    if (!ok) assert.equal(r.body.status, r.status);
    return r;
  }

  /** The body of a success. */
  async do(name, args) {
    const r = await this.call(name, args);
    assert.ok(r.status < 300, `${name}: ${r.status} ${JSON.stringify(r.body)}`);
    return r.body;
  }
}
