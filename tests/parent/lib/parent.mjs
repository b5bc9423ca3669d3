// A parent with the contracts of one L3, for a suite.
import { Anvil } from "../../../scripts/l3/anvil.mjs";
import { roles } from "../../../scripts/l3/accounts.mjs";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Node, tempDir } from "../../func/lib/node.mjs";
import { abis, confirmerArtifact, deployParent } from "../../../scripts/l3/deploy-parent.mjs";
import { viem } from "../../../scripts/l3/viem.mjs";

export { abis, confirmerArtifact, roles, viem };

export const GENESIS_HASH = `0x${"ab".repeat(32)}`;

/** A node of ours as an Arbitrum-like parent: its NUMBER is its own parent's, as on Arbitrum. */
async function startOwnNode() {
  const dir = tempDir();
  const genesis = path.join(dir, "genesis.json");
  const accounts = Object.values(roles).flat();
  writeFileSync(
    genesis,
    JSON.stringify({
      config: { chainId: 412347 },
      alloc: Object.fromEntries(accounts.map((a) => [a.address, { balance: "0x21e19e0c9bab2400000" }])),
      callipter: { evmNumber: "parent", owners: [roles.deployer.address], speedLimit: 10000000000 },
    }),
  );
  return Node.start(path.join(dir, "data"), ["--chain", genesis]);
}

export class Parent {
  /** own: a node of ours instead of Anvil. */
  static async start({ own = false, anvil = {}, deploy = {} } = {}) {
    const p = new Parent();
    p.peer = own ? await startOwnNode() : await Anvil.start(anvil);
    p.url = p.peer.url;
    p.deployment = await deployParent({
      rpcUrl: p.url,
      deployerKey: roles.deployer.key,
      genesis: {
        config: { chainId: 333333 },
        callipter: { timeBounds: { delayBlocks: 200, futureBlocks: 12, delaySeconds: 86400, futureSeconds: 3600 } },
      },
      genesisHash: GENESIS_HASH,
      owner: roles.owner.address,
      validators: [roles.validator.address],
      batchPosters: [roles.batchPoster.address],
      confirmerMembers: roles.members.map((m) => m.address),
      confirmerThreshold: 2,
      ...deploy,
    });
    const chain = viem.defineChain({
      id: p.peer.chainId,
      name: "parent",
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [p.url] } },
    });
    p.public = viem.createPublicClient({ chain, transport: viem.http(p.url), pollingInterval: 20, cacheTime: 0 });
    p.wallet = viem.createWalletClient({ chain, transport: viem.http(p.url) });
    return p;
  }

  read(contract, functionName, args = [], abi = abis[contract] ?? confirmerArtifact.abi) {
    return this.public.readContract({ address: this.deployment[contract] ?? contract, abi, functionName, args });
  }

  /** Sends a call and returns its receipt; throws, with the error's name, if it would revert. */
  async write(from, contract, functionName, args = [], { abi = abis[contract] ?? confirmerArtifact.abi, value } = {}) {
    const call = { address: this.deployment[contract] ?? contract, abi, functionName, args, value, account: from.account };
    await this.public.simulateContract(call);
    const hash = await this.wallet.writeContract(call);
    return this.public.waitForTransactionReceipt({ hash });
  }

  stop() {
    return this.peer.stop();
  }
}

/** Runs fn, which must fail with the custom error `name`, or with a text that contains it. */
export async function refused(name, fn) {
  try {
    await fn();
  } catch (e) {
    const revert = e.walk?.((x) => x instanceof viem.ContractFunctionRevertedError);
    const named = revert?.data?.errorName;
    const said = named && named !== "Error" ? named : (revert?.reason ?? revert?.signature ?? e.message);
    if (String(said).includes(name)) return;
    throw new Error(`wanted ${name}, got ${said}`);
  }
  throw new Error(`wanted ${name}, got no error`);
}
