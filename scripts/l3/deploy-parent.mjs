// Deploys the parent chain's contracts of one L3: the real ones of @arbitrum/nitro-contracts, and our confirmer.
// As a program it prints, or writes with --out, the JSON that `callipter run --parent-deployment` reads; see usage below.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  concat,
  createPublicClient,
  createWalletClient,
  decodeEventLog,
  defineChain,
  getAddress,
  http,
  keccak256,
  parseEther,
  parseGwei,
  stringToHex,
  toHex,
  zeroAddress,
  zeroHash,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";

const require = createRequire(import.meta.url);
const here = path.dirname(fileURLToPath(import.meta.url));
const nitro = (name) => require(`@arbitrum/nitro-contracts/build/contracts/src/${name}.json`);
export const abis = {
  rollup: nitro("rollup/RollupUserLogic.sol/RollupUserLogic").abi,
  rollupAdmin: nitro("rollup/RollupAdminLogic.sol/RollupAdminLogic").abi,
  bridge: nitro("bridge/Bridge.sol/Bridge").abi,
  inbox: nitro("bridge/Inbox.sol/Inbox").abi,
  sequencerInbox: nitro("bridge/SequencerInbox.sol/SequencerInbox").abi,
  outbox: nitro("bridge/Outbox.sol/Outbox").abi,
};
export const confirmerArtifact = JSON.parse(
  readFileSync(path.join(here, "../../bridge/contracts/artifacts/Confirmer.json"), "utf8"),
);

// The inbox refuses larger batches. An Arbitrum parent takes no transactions over 95,000 bytes, others 128 KiB.
const MAX_DATA_SIZE_ON_ARBITRUM = 104857n;
const MAX_DATA_SIZE_ELSEWHERE = 117964n;
const GENESIS_BOUNDS = { delayBlocks: 5760, futureBlocks: 48, delaySeconds: 86400, futureSeconds: 3600 };

/** wasmModuleRoot for a binary whose highest state-transition version is `version`. */
export function moduleRoot(version) {
  return keccak256(concat([stringToHex("callipter"), toHex(BigInt(version), { size: 8 })]));
}

/** Message 0's chain configuration: what Arbitrum's tools read, and the hash that binds all of ours. */
export function chainConfig({ chainId, genesisHash, owner }) {
  const block0 = ["homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg", "istanbul"];
  const forks = Object.fromEntries([...block0, "muirGlacier", "berlin", "london"].map((name) => [`${name}Block`, 0]));
  return JSON.stringify({
    chainId,
    ...forks,
    daoForkBlock: null,
    daoForkSupport: true,
    eip150Hash: zeroHash,
    clique: { period: 0, epoch: 0 },
    arbitrum: {
      EnableArbOS: true,
      AllowDebugPrecompiles: false,
      DataAvailabilityCommittee: false,
      InitialArbOSVersion: 51,
      InitialChainOwner: owner,
      GenesisBlockNum: 0,
    },
    callipter: { genesisBlockHash: genesisHash },
  });
}

class Deployer {
  constructor(rpcUrl, key, chainId) {
    const chain = defineChain({
      id: chainId,
      name: "parent",
      nativeCurrency: { name: "Ether", symbol: "ETH", decimals: 18 },
      rpcUrls: { default: { http: [rpcUrl] } },
    });
    this.account = privateKeyToAccount(key);
    this.public = createPublicClient({ chain, transport: http(rpcUrl), pollingInterval: 50, cacheTime: 0 });
    this.wallet = createWalletClient({ chain, account: this.account, transport: http(rpcUrl) });
    this.gasUsed = 0n;
  }

  async mined(hash, what) {
    const receipt = await this.public.waitForTransactionReceipt({ hash });
    if (receipt.status !== "success") throw new Error(`${what} failed in transaction ${hash}`);
    this.gasUsed += receipt.gasUsed;
    return receipt;
  }

  async deploy({ abi, bytecode }, args = [], what = "a contract") {
    const hash = await this.wallet.deployContract({ abi: abi ?? [], bytecode, args });
    return getAddress((await this.mined(hash, what)).contractAddress);
  }

  async send(address, abi, functionName, args, value = 0n) {
    const call = { address, abi, functionName, args, value, account: this.account };
    const gas = await this.public.estimateContractGas(call);
    const hash = await this.wallet.writeContract({ ...call, gas: (gas * 11n) / 10n });
    return this.mined(hash, functionName);
  }
}

/** ArbSys answers arbOSVersion() with one word there, and nowhere else: how the contracts themselves tell. */
async function isArbitrum(d) {
  const { data } = await d.public.call({ to: `0x${"64".padStart(40, "0")}`, data: "0x051038f2" }).catch(() => ({}));
  return data !== undefined && data.length === 66;
}

/** The contracts that rollups of one parent share. Returns the RollupCreator's address. */
async function deployTemplates(d, arbitrum, maxDataSize) {
  const make = (name, args) => d.deploy(nitro(name), args, name);
  const reader = arbitrum
    ? zeroAddress
    : await d.deploy({ bytecode: `0x${readerCode()}` }, [], "Reader4844");
  const bridges = [];
  for (const erc20 of [false, true]) {
    const p = erc20 ? "ERC20" : "";
    bridges.push([
      await make(`bridge/${p}Bridge.sol/${p}Bridge`),
      await make("bridge/SequencerInbox.sol/SequencerInbox", [maxDataSize, reader, erc20, false]),
      await make("bridge/SequencerInbox.sol/SequencerInbox", [maxDataSize, reader, erc20, true]),
      await make(`bridge/${p}Inbox.sol/${p}Inbox`, [maxDataSize]),
      await make(`rollup/${p}RollupEventInbox.sol/${p}RollupEventInbox`),
      await make(`bridge/${p}Outbox.sol/${p}Outbox`),
    ]);
  }
  const templates = (t) => ({
    bridge: t[0],
    sequencerInbox: t[1],
    delayBufferableSequencerInbox: t[2],
    inbox: t[3],
    rollupEventInbox: t[4],
    outbox: t[5],
  });
  const bridgeCreator = await make("rollup/BridgeCreator.sol/BridgeCreator", bridges.map(templates));
  const proof = await make("osp/OneStepProofEntry.sol/OneStepProofEntry", [
    await make("osp/OneStepProver0.sol/OneStepProver0"),
    await make("osp/OneStepProverMemory.sol/OneStepProverMemory"),
    await make("osp/OneStepProverMath.sol/OneStepProverMath"),
    await make("osp/OneStepProverHostIo.sol/OneStepProverHostIo", [zeroAddress]),
  ]);
  return make("rollup/RollupCreator.sol/RollupCreator", [
    d.account.address,
    bridgeCreator,
    proof,
    await make("challengeV2/EdgeChallengeManager.sol/EdgeChallengeManager"),
    await make("rollup/RollupAdminLogic.sol/RollupAdminLogic"),
    await make("rollup/RollupUserLogic.sol/RollupUserLogic"),
    await d.deploy(require("@offchainlabs/upgrade-executor/build/contracts/src/UpgradeExecutor.sol/UpgradeExecutor.json")),
    await make("rollup/ValidatorWalletCreator.sol/ValidatorWalletCreator"),
    await make("rollup/DeployHelper.sol/DeployHelper"),
  ]);
}

function readerCode() {
  const code = require("@arbitrum/nitro-contracts/out/yul/Reader4844.yul/Reader4844.json").bytecode.object;
  return code.replace(/^0x/, "");
}

function rollupConfig(o, confirmer, stakeToken, config) {
  const genesisState = {
    globalState: { bytes32Vals: [zeroHash, zeroHash], u64Vals: [0n, 0n] },
    machineStatus: 1,
    endHistoryRoot: zeroHash,
  };
  return {
    confirmPeriodBlocks: BigInt(o.confirmPeriodBlocks),
    stakeToken,
    baseStake: parseEther("0.1"),
    wasmModuleRoot: moduleRoot(o.version),
    owner: o.owner,
    loserStakeEscrow: o.owner,
    chainId: BigInt(o.chainId),
    chainConfig: config,
    minimumAssertionPeriod: 75n,
    validatorAfkBlocks: 0n, // else anyone could open the whitelist
    miniStakeValues: [4n, 2n, 1n],
    sequencerInboxMaxTimeVariation: Object.fromEntries(Object.entries(o.timeBounds).map(([k, v]) => [k, BigInt(v)])),
    layerZeroBlockEdgeHeight: 2n ** 26n,
    layerZeroBigStepEdgeHeight: 2n ** 19n,
    layerZeroSmallStepEdgeHeight: 2n ** 23n,
    genesisAssertionState: genesisState,
    genesisInboxCount: 0n,
    anyTrustFastConfirmer: confirmer,
    numBigStepLevel: 1,
    challengeGracePeriodBlocks: 10n,
    bufferConfig: { threshold: 0n, max: 0n, replenishRateInBasis: 0n },
    dataCostEstimate: 0n,
  };
}

// The proxy sends its owner's calls to another logic than everyone else's, so an account with two of these roles could do neither.
function checkRoles(o) {
  const named = [o.owner, ...o.validators, ...o.batchPosters, ...o.confirmerMembers].map((a) => getAddress(a));
  if (!o.validators.length || !o.batchPosters.length) throw new Error("a validator and a batch poster are needed");
  if (named.slice(1).includes(getAddress(o.owner))) throw new Error("the owner must have no other role");
  const distinct = new Set([...o.validators, ...o.batchPosters].map((a) => getAddress(a)));
  if (distinct.size !== o.validators.length + o.batchPosters.length)
    throw new Error("validators and batch posters must be distinct");
}

/**
 * Deploys everything for one L3 and returns its description.
 *   rpcUrl, deployerKey      who pays; the deployer keeps no right but to hand the confirmer over
 *   genesis                  the L3's genesis file, parsed;  genesisHash: its block 0
 *   owner, validators, batchPosters, confirmerMembers   addresses;  confirmerThreshold
 *   confirmPeriodBlocks      of the slow path (45818)
 *   rollupCreator, stakeToken   use these instead of deploying new ones
 *   deployFactories          also send the usual CREATE2 factories to the L3 (0.13 ETH)
 */
export async function deployParent(options) {
  const { genesis } = options;
  const own = genesis.callipter ?? {};
  const o = {
    confirmPeriodBlocks: 45818,
    deployFactories: false,
    ...options,
    chainId: Number(genesis.config.chainId),
    version: Number(own.version ?? 1),
    timeBounds: { ...GENESIS_BOUNDS, ...own.timeBounds },
  };
  checkRoles(o);
  const parentChainId = Number(BigInt(await rpc(o.rpcUrl, "eth_chainId")));
  if (own.parentChainId !== undefined && Number(own.parentChainId) !== parentChainId)
    throw new Error(`the genesis file names parent chain ${own.parentChainId}, the endpoint is of chain ${parentChainId}`);
  const d = new Deployer(o.rpcUrl, o.deployerKey, parentChainId);
  const arbitrum = await isArbitrum(d);
  const maxDataSize = arbitrum ? MAX_DATA_SIZE_ON_ARBITRUM : MAX_DATA_SIZE_ELSEWHERE;
  const stakeToken =
    o.stakeToken ?? (await d.deploy(nitro("mocks/TestWETH9.sol/TestWETH9"), ["Wrapped Ether", "WETH"], "stake token"));
  const creator = o.rollupCreator ?? (await deployTemplates(d, arbitrum, maxDataSize));
  const confirmer = await d.deploy(
    confirmerArtifact,
    [d.account.address, o.confirmerMembers, BigInt(o.confirmerThreshold)],
    "the confirmer",
  );
  const config = chainConfig({ chainId: o.chainId, genesisHash: o.genesisHash, owner: o.owner });
  const params = {
    config: rollupConfig(o, confirmer, stakeToken, config),
    validators: o.validators,
    maxDataSize,
    nativeToken: zeroAddress,
    deployFactoriesToL2: o.deployFactories,
    maxFeePerGasForRetryables: parseGwei("0.1"),
    batchPosters: o.batchPosters,
    batchPosterManager: o.owner,
    feeTokenPricer: zeroAddress,
    customOsp: zeroAddress,
  };
  const creatorAbi = nitro("rollup/RollupCreator.sol/RollupCreator").abi;
  const receipt = await d.send(creator, creatorAbi, "createRollup", [params], o.deployFactories ? parseEther("0.13") : 0n);
  const created = findEvent(receipt, creatorAbi, "RollupCreated");
  await d.send(confirmer, confirmerArtifact.abi, "setRollup", [created.rollupAddress]);
  // Handed over, not given: the owner takes it with acceptOwnership().
  if (getAddress(o.owner) !== d.account.address)
    await d.send(confirmer, confirmerArtifact.abi, "offerOwnership", [o.owner]);
  return {
    chainId: o.chainId,
    genesisBlockHash: o.genesisHash,
    parentChainId,
    parentIsArbitrum: arbitrum,
    deployedAtBlock: Number(receipt.blockNumber),
    deploymentTransaction: receipt.transactionHash,
    rollup: created.rollupAddress,
    bridge: created.bridge,
    inbox: created.inboxAddress,
    sequencerInbox: created.sequencerInbox,
    outbox: created.outbox,
    rollupEventInbox: created.rollupEventInbox,
    challengeManager: created.challengeManager,
    upgradeExecutor: created.upgradeExecutor,
    proxyAdmin: created.adminProxy,
    validatorWalletCreator: created.validatorWalletCreator,
    confirmer,
    confirmerMembers: o.confirmerMembers,
    confirmerThreshold: Number(o.confirmerThreshold),
    rollupCreator: creator,
    stakeToken,
    owner: o.owner,
    validators: o.validators,
    batchPosters: o.batchPosters,
    wasmModuleRoot: moduleRoot(o.version),
    confirmPeriodBlocks: Number(o.confirmPeriodBlocks),
    timeBounds: o.timeBounds,
    maxDataSize: Number(maxDataSize),
    chainConfig: config,
    gasUsed: Number(d.gasUsed),
  };
}

function findEvent(receipt, abi, name) {
  for (const { data, topics } of receipt.logs) {
    try {
      const event = decodeEventLog({ abi, data, topics });
      if (event.eventName === name) return event.args;
    } catch {
      // a log of another contract
    }
  }
  throw new Error(`no event ${name}`);
}

async function rpc(url, method, params = []) {
  const reply = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = await reply.json();
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

const usage = `usage: node deploy-parent.mjs --rpc URL --genesis FILE --genesis-hash 0x... --owner 0x... --validator 0x...
       --batch-poster 0x... --member 0x... [--member 0x...]... --threshold M [--confirm-period BLOCKS]
       [--rollup-creator 0x...] [--stake-token 0x...] [--factories] [--out FILE]
The deployer's key is read from the environment variable DEPLOYER_KEY. \`callipter init\` prints block 0's hash.`;

async function main() {
  const text = { type: "string" };
  const list = { type: "string", multiple: true };
  const { values: v } = parseArgs({
    options: {
      rpc: text,
      genesis: text,
      "genesis-hash": text,
      owner: text,
      validator: list,
      "batch-poster": list,
      member: list,
      threshold: text,
      "confirm-period": text,
      "rollup-creator": text,
      "stake-token": text,
      factories: { type: "boolean" },
      out: text,
    },
  });
  const needed = ["rpc", "genesis", "genesis-hash", "owner", "validator", "batch-poster", "member", "threshold"];
  if (needed.some((name) => v[name] === undefined) || !process.env.DEPLOYER_KEY) {
    console.error(usage);
    process.exit(2);
  }
  const made = await deployParent({
    rpcUrl: v.rpc,
    deployerKey: process.env.DEPLOYER_KEY,
    genesis: JSON.parse(readFileSync(v.genesis, "utf8")),
    genesisHash: v["genesis-hash"],
    owner: v.owner,
    validators: v.validator,
    batchPosters: v["batch-poster"],
    confirmerMembers: v.member,
    confirmerThreshold: v.threshold,
    deployFactories: v.factories ?? false,
    ...(v["confirm-period"] && { confirmPeriodBlocks: v["confirm-period"] }),
    ...(v["rollup-creator"] && { rollupCreator: v["rollup-creator"] }),
    ...(v["stake-token"] && { stakeToken: v["stake-token"] }),
  });
  const json = `${JSON.stringify(made, null, 1)}\n`;
  if (v.out) writeFileSync(v.out, json);
  else process.stdout.write(json);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().catch((e) => {
    console.error(e.shortMessage ?? e.message);
    process.exit(1);
  });
