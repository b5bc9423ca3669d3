// A parent with the chain's contracts, and nodes of the chain.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { ethers } from "ethers";
import { BINARY, Node, tempDir } from "../../func/lib/node.mjs";
import { until } from "../../func/lib/wait.mjs";
import { deployRollup, TIME_BOUNDS } from "./contracts.mjs";
import { Parent, PARENT_CHAIN_ID } from "./parent.mjs";

export { until };
export const CHAIN_ID = 333333;
const NODE_INTERFACE = "0x00000000000000000000000000000000000000C8";
const nodeInterface = new ethers.utils.Interface(["function findBatchContainingBlock(uint64) view returns (uint64)"]);

export class L3Node extends Node {
  /** `how`: another binary, variables for its environment. */
  static async start(args, how = {}) {
    const node = await new L3Node().launch(how.binary ?? BINARY, args, how.env);
    Object.assign(node, { args, how });
    node.provider = new ethers.providers.StaticJsonRpcProvider(node.url, CHAIN_ID);
    node.provider.pollingInterval = 20;
    return node;
  }

  /** Stops a sequencer with all its blocks on the parent. A stop waits for that, but not for ever: then another run posts the rest. */
  async stopPosted() {
    for (let node = this; ; node = await L3Node.start(node.args, node.how)) {
      const { code } = await node.stop();
      if (code !== 0) throw new Error(`the stop ends with ${code}\n${node.err}`);
      if (!node.err.includes("blocks are left for the next run to post")) return;
    }
  }

  async head() {
    return this.rpc("eth_getBlockByNumber", ["latest", false]);
  }

  /** The hash of a block, or undefined. */
  async hashOf(number) {
    return (await this.rpc("eth_getBlockByNumber", [ethers.utils.hexValue(number), false]))?.hash;
  }

  /** The batch that the node has a block in, undefined if it has none yet. */
  async batchOf(number) {
    const data = nodeInterface.encodeFunctionData("findBatchContainingBlock", [number]);
    const { result } = await this.call("eth_call", [{ to: NODE_INTERFACE, data }, "latest"]);
    return result === undefined ? undefined : Number(result);
  }

  async atBlock(number, ms) {
    return until(`block ${number}`, async () => Number((await this.head()).number) >= number, ms);
  }
}

export class World {
  /** `threshold`: how many of three members confirm; without it nobody does. */
  static async start({ genesis = {}, bounds = TIME_BOUNDS, parentArgs = [], threshold = 0 } = {}) {
    const w = new World();
    w.parentUrl = undefined; // what nodes are given, where that is not the parent's own URL
    w.dir = tempDir();
    w.parent = await Parent.start(parentArgs);
    [w.owner, w.validator, w.proposer, w.poster, w.user] = [0, 1, 2, 3, 4].map((i) => w.parent.wallet(i));
    w.members = [0, 1, 2].map(() => ethers.Wallet.createRandom());
    w.genesis = path.join(w.dir, "genesis.json");
    const file = {
      config: { chainId: CHAIN_ID },
      alloc: {},
      callipter: {
        parentChainId: PARENT_CHAIN_ID, owners: [w.owner.address], minBaseFee: 10000000, timeBounds: bounds, ...genesis,
      },
    };
    writeFileSync(w.genesis, JSON.stringify(file));
    const init = spawnSync(BINARY, ["init", "--chain", w.genesis, "--datadir", path.join(w.dir, "init")], { encoding: "utf8" });
    w.genesisHash = /^block 0 (0x[0-9a-f]{64})$/m.exec(init.stdout)?.[1];
    if (!w.genesisHash) throw new Error(`callipter init: ${init.stderr}`);
    const roles = {
      owner: w.owner, validator: w.validator.address, poster: w.poster.address, members: w.members.map((m) => m.address),
    };
    w.at = await deployRollup(roles, { genesis: file, genesisHash: w.genesisHash, threshold: threshold || w.members.length });
    w.deployment = path.join(w.dir, "deployment.json");
    writeFileSync(w.deployment, JSON.stringify(w.at));
    w.posterKey = w.keyFile(w.poster);
    return w;
  }

  /** A file with a wallet's key. */
  keyFile(wallet) {
    const file = path.join(this.dir, `${wallet.address}.key`);
    writeFileSync(file, wallet.privateKey, { mode: 0o600 });
    return file;
  }

  /** Flags of a committee's member. */
  member(idx) {
    return ["--member-key", this.keyFile(this.members[idx]), "--assertion-finality", "latest", "--assertion-interval", "1"];
  }

  folder(name) {
    const dir = path.join(this.dir, name);
    mkdirSync(dir, { recursive: true });
    return dir;
  }

  common(name) {
    return ["--chain", this.genesis, "--datadir", this.folder(name), "--cache", "64", "--parent-url", this.parentUrl ?? this.parent.url,
      "--parent-deployment", this.deployment, "--parent-poll-ms", "50"];
  }

  sequencer(args = [], name = "sequencer", how = {}) {
    return L3Node.start([...this.common(name), "--poster-key", this.posterKey, "--delayed-finality", "latest",
      ...(args.includes("--batch-max-age") ? [] : ["--batch-max-age", "1"]), ...args], how);
  }

  newValidator(args = [], name = "validator", how = {}) {
    return L3Node.start([...this.common(name), "--role", "validator", ...args], how);
  }

  /** A copy of a stopped node's folder. */
  copyFolder(from, to) {
    cpSync(this.folder(from), path.join(this.dir, to), { recursive: true });
  }
}
