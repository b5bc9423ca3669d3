// viem's view of a node.
import { createPublicClient, createWalletClient, defineChain, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { devAccounts } from "./node.mjs";

/** The node's chain; `more` is added to what describes it. */
export const chainOf = (node, more = {}) =>
  defineChain({
    id: node.chainId,
    name: "Callipter",
    nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
    rpcUrls: { default: { http: [node.url] } },
    ...more,
  });

/** A client that asks anew each time, one wallet for each development account, and `wallet(key)` for any other. */
export function clients(node, more = {}) {
  const chain = chainOf(node, more);
  const transport = http(node.url, { retryCount: 0 });
  const wallet = (key) => createWalletClient({ chain, transport, account: privateKeyToAccount(key) });
  const client = createPublicClient({ chain, transport, pollingInterval: 20, cacheTime: 0 });
  return { client, wallet, wallets: devAccounts(node).map((d) => wallet(d.key)) };
}
