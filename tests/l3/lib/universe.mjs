// Universes, with ethers: the registry and its factory at their addresses.
import { ethers } from "ethers";
import { factoryAbi, factoryAddress, registryAbi, registryAddress } from "../../func/lib/registry.mjs";

export const REGISTRY = ethers.utils.getAddress(registryAddress);
const ether = ethers.utils.parseEther;
const POLICY = {
  active: true, allowValue: false, allowSetCode: false, allowCreate: false, maxDataBytes: 4096,
  expiry: ethers.constants.MaxUint256.mask(64), maxGas: 1000000, maxCost: ether("1"),
};

export class Universe {
  /** Makes one that `owner`, one of the chain's owners, pays for. */
  static async create(owner, slug) {
    const u = new Universe();
    u.owner = owner;
    u.registry = new ethers.Contract(REGISTRY, registryAbi, owner);
    u.factory = new ethers.Contract(factoryAddress, factoryAbi, owner);
    u.slug = ethers.utils.hexlify(ethers.utils.toUtf8Bytes(slug)).padEnd(30, "0");
    await u.send("createUniverse", u.slug, owner.address, "");
    u.id = await u.registry.universeBySlug(u.slug);
    return u;
  }

  async send(method, ...args) {
    return (await this.registry[method](...args)).wait();
  }

  /** Deploys through the factory; the contract's address. */
  async deploy(salt, initCode) {
    const args = [this.id, ethers.utils.hexZeroPad(ethers.utils.hexlify(salt), 32)];
    const address = await this.factory.addressOf(...args, ethers.utils.keccak256(initCode));
    await (await this.factory.deploy(...args, initCode)).wait();
    return address;
  }

  /** Pays for calls of `contract` with `selector` from now on. */
  async sponsor(contract, selector) {
    await this.send("depositGas", this.id, { value: ether("0.5") });
    await this.send("setPolicy", this.id, POLICY);
    await this.send("setBudget", this.id, ether("1"), 3600);
    await this.send("addTargets", this.id, [contract], [selector]);
  }
}

/** Sends what costs its sender nothing, or `fee` per gas at most; its receipt. */
export async function play(wallet, to, data, fee = 0) {
  const nonce = await wallet.getTransactionCount();
  const { chainId } = wallet.provider.network;
  const tx = { chainId, type: 2, nonce, to, data, gasLimit: 100000, maxFeePerGas: fee, maxPriorityFeePerGas: 0 };
  const hash = await wallet.provider.send("eth_sendRawTransaction", [await wallet.signTransaction(tx)]);
  await wallet.provider.waitForTransaction(hash);
  return wallet.provider.send("eth_getTransactionReceipt", [hash]);
}
