// The unmodified @arbitrum/sdk knows the chain by what its rollup says of itself.
import { getArbitrumNetworkInformationFromRollup, registerCustomArbitrumNetwork } from "@arbitrum/sdk";
import { CHAIN_ID } from "./world.mjs";

export async function network(w) {
  const info = await getArbitrumNetworkInformationFromRollup(w.at.rollup, w.parent.provider);
  return registerCustomArbitrumNetwork({
    ...info, name: "callipter", chainId: CHAIN_ID, isCustom: true, isTestnet: true, isBold: true,
  }, { throwIfAlreadyRegistered: false });
}
