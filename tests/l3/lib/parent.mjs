// Anvil as an Arbitrum-like parent chain, with ethers.
import { ethers } from "ethers";
import { Anvil } from "../../../scripts/l3/anvil.mjs";

export const PARENT_CHAIN_ID = 412346;

export class Parent extends Anvil {
  static async start(args = []) {
    const fixed = ["--slots-in-an-epoch", "1", "--base-fee", "100000000"];
    const p = await super.start({ chainId: PARENT_CHAIN_ID, args: [...fixed, ...args] });
    p.provider = new ethers.providers.StaticJsonRpcProvider(p.url, PARENT_CHAIN_ID);
    p.provider.pollingInterval = 20;
    return p;
  }

  /** The idx-th funded account. */
  wallet(idx) {
    const phrase = "test test test test test test test test test test test junk";
    return ethers.Wallet.fromMnemonic(phrase, `m/44'/60'/0'/0/${idx}`).connect(this.provider);
  }

  mine(blocks = 1) {
    return this.rpc("anvil_mine", [ethers.utils.hexValue(blocks)]);
  }
}
