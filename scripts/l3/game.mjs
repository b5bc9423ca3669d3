// A game on a chain, made through the node's API over HTTP: its universe, an ERC-1155 contract, asset classes, items.
import { toHex } from "viem";

export const registry = "0x0000000000000000000000000000000000007500";

/** Requests of one API key. What is not a success is thrown, with the node's own words. */
export class Api {
  constructor(url, key) {
    Object.assign(this, { url, key });
  }

  async call(verb, path, body) {
    const res = await fetch(this.url + path, {
      method: verb,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await res.text();
    if (!res.ok) throw new Error(`${verb} ${path}: ${res.status} ${text}`);
    return JSON.parse(text);
  }

  get = (path) => this.call("GET", path);
  post = (path, body) => this.call("POST", path, body);
}

/** One item for each: referenceIds from `first` on, classes 1 to `classes` in turn, receivers as `to(i)` says. */
export function itemList(first, count, classes, to) {
  return Array.from({ length: count }, (_, i) => ({
    referenceId: toHex(first + i + 1, { size: 32 }),
    to: to(first + i),
    id: 1 + ((first + i) % classes),
  }));
}

/**
 * Creates a universe with the operator's key, its items contract and `classes` classes with its own key. `gas`: wei that the gas
 * account begins with. Gives {id, slug, api, items (address), path (of the contract), transactions}.
 */
export async function makeGame(url, adminKey, { slug, owner, gas, classes, supply }) {
  const made = await new Api(url, adminKey).post("/v1/universes", { slug, owner, gas: String(gas) });
  const api = new Api(url, made.secretKey.secret);
  const deployed = await api.post(`/v1/u/${slug}/contracts`, { template: "items", name: "Items", symbol: "ITM" });
  const items = deployed.contract.address;
  const path = `/v1/u/${slug}/contracts/${items}`;
  const rarities = ["common", "rare", "epic"];
  const list = Array.from({ length: classes }, (_, i) => ({
    id: i + 1,
    maxSupply: supply,
    name: `Blade ${i + 1}`,
    rarity: rarities[i % rarities.length],
    variations: ["plain", "engraved"],
    attributes: { damage: 10 * (i + 1) },
  }));
  const defined = await api.post(`${path}/classes`, { classes: list });
  const bad = defined.classes.filter((c) => c.status !== "defined");
  if (defined.classes.length !== classes || bad.length) throw new Error(`classes: ${JSON.stringify(defined)}`);
  const sent = [...made.transactions, ...deployed.transactions, ...defined.classes.map((c) => c.transaction)];
  const { id, signer } = made.universe;
  return { id, slug, signer, api, items, path, transactions: [...new Set(sent)] };
}

/** Mints up to 1,000 items in one request; all must be new. Gives the transactions' hashes. */
export async function mint(game, list) {
  const { items, minted } = await game.api.post(`${game.path}/mints`, { items: list });
  const bad = items.filter((i) => i.status !== "minted");
  if (minted !== list.length || bad.length) throw new Error(`${minted} of ${list.length} minted; ${JSON.stringify(bad[0])}`);
  return [...new Set(items.map((i) => i.transaction))];
}
