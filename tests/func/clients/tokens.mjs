// What every tool does with OpenZeppelin's three token standards, through an adapter in that tool's own ways:
//   deploy(name) -> handle; send(handle, method, args), which waits for success; read(handle, method, args) -> bigint or lower-case address;
//   alice, bob: addresses
import { assert } from "../lib/suite.mjs";
import { feature } from "./matrix.mjs";

export const IDS = Array.from({ length: 50 }, (_, i) => BigInt(i + 1));

/** {coin, deeds, items}: alice has 700 coins and bob 300, bob has deed 1, he has 20 of item 50 and alice 30. */
export async function tokens(tool, { deploy, send, read, alice, bob }) {
  const coin = await feature(tool, ["erc20"], "deploys an ERC-20", () => deploy("Coin"));
  const deeds = await feature(tool, ["erc721"], "deploys an ERC-721", () => deploy("Deeds"));
  const items = await feature(tool, ["erc1155"], "deploys an ERC-1155", () => deploy("Items"));
  await feature(tool, ["mint"], "mints of each standard", async () => {
    await send(coin, "mint", [alice, 1000n]);
    await send(deeds, "mint", [alice, 1n]);
    await send(items, "mint", [alice, 77n, 5n]);
    assert.equal(await read(coin, "totalSupply", []), 1000n);
    assert.equal(await read(deeds, "ownerOf", [1n]), alice.toLowerCase());
    assert.equal(await read(items, "balanceOf", [alice, 77n]), 5n);
  });
  await feature(tool, ["batch"], "mints fifty kinds in one batch", async () => {
    await send(items, "mintBatch", [alice, IDS, IDS]);
    for (const id of [1n, 50n]) assert.equal(await read(items, "balanceOf", [alice, id]), id);
  });
  await feature(tool, ["transfer"], "transfers of each standard", async () => {
    await send(coin, "transfer", [bob, 300n]);
    await send(deeds, "transferFrom", [alice, bob, 1n]);
    await send(items, "safeTransferFrom", [alice, bob, 50n, 20n, "0x"]);
    assert.equal(await read(coin, "balanceOf", [bob]), 300n);
    assert.equal(await read(coin, "balanceOf", [alice]), 700n);
    assert.equal(await read(deeds, "ownerOf", [1n]), bob.toLowerCase());
    assert.equal(await read(items, "balanceOf", [bob, 50n]), 20n);
    assert.equal(await read(items, "balanceOf", [alice, 50n]), 30n);
  });
  return { coin, deeds, items };
}

/** Answers of any library as the adapter wants them. */
export const plain = (v) => (typeof v === "string" && v.startsWith("0x") ? v.toLowerCase() : BigInt(v));
