// The Orbit contracts as npm ships them, deployed to a parent chain with ethers.
import { createRequire } from "node:module";
import { ethers } from "ethers";

const require = createRequire(import.meta.url);
const orbit = (p) => require(`@arbitrum/nitro-contracts/build/contracts/src/${p}.json`);
const upgradeExecutor = require(
  "@offchainlabs/upgrade-executor/build/contracts/src/UpgradeExecutor.sol/UpgradeExecutor.json",
);

/** Room for a batch on a parent that is an Arbitrum chain itself; the creator wants every template to agree. */
const MAX_DATA = 104857;
export const TIME_BOUNDS = { delayBlocks: 5760, futureBlocks: 48, delaySeconds: 86400, futureSeconds: 3600 };

export const abi = (p) => orbit(p).abi;
export const bridgeAbi = abi("bridge/Bridge.sol/Bridge");
export const inboxAbi = abi("bridge/Inbox.sol/Inbox");
export const sequencerInboxAbi = abi("bridge/SequencerInbox.sol/SequencerInbox");
export const rollupAbi = [
  ...abi("rollup/RollupUserLogic.sol/RollupUserLogic"),
  ...abi("rollup/RollupAdminLogic.sol/RollupAdminLogic").filter((e) => e.name?.startsWith("set")),
];

async function deploy(wallet, artifact, args = []) {
  const c = await new ethers.ContractFactory(artifact.abi, artifact.bytecode, wallet).deploy(...args);
  await c.deployed();
  return c.address;
}

/** What lies once on a parent and makes rollups. */
async function deployCreator(owner) {
  const zero = ethers.constants.AddressZero;
  const at = (p, args) => deploy(owner, orbit(p), args);
  const templates = async (erc) => [
    await at(`bridge/${erc}Bridge.sol/${erc}Bridge`),
    await at("bridge/SequencerInbox.sol/SequencerInbox", [MAX_DATA, zero, erc !== "", false]),
    await at("bridge/SequencerInbox.sol/SequencerInbox", [MAX_DATA, zero, erc !== "", true]),
    await at(`bridge/${erc}Inbox.sol/${erc}Inbox`, [MAX_DATA]),
    await at(`rollup/${erc}RollupEventInbox.sol/${erc}RollupEventInbox`),
    await at(`bridge/${erc}Outbox.sol/${erc}Outbox`),
  ];
  const bridgeCreator = await at("rollup/BridgeCreator.sol/BridgeCreator", [await templates(""), await templates("ERC20")]);
  const provers = [];
  for (const p of ["OneStepProver0", "OneStepProverMemory", "OneStepProverMath"])
    provers.push(await at(`osp/${p}.sol/${p}`));
  provers.push(await at("osp/OneStepProverHostIo.sol/OneStepProverHostIo", [zero]));
  const osp = await at("osp/OneStepProofEntry.sol/OneStepProofEntry", provers);
  const parts = [
    await at("challengeV2/EdgeChallengeManager.sol/EdgeChallengeManager"),
    await at("rollup/RollupAdminLogic.sol/RollupAdminLogic"),
    await at("rollup/RollupUserLogic.sol/RollupUserLogic"),
    await deploy(owner, upgradeExecutor),
    await at("rollup/ValidatorWalletCreator.sol/ValidatorWalletCreator"),
    await at("rollup/DeployHelper.sol/DeployHelper"),
  ];
  const creator = orbit("rollup/RollupCreator.sol/RollupCreator");
  const address = await deploy(owner, creator, [owner.address, bridgeCreator, osp, ...parts]);
  return new ethers.Contract(address, creator.abi, owner);
}

/** The committee's contract, which the rollup is to name; then it is told the rollup. */
export async function deployConfirmer(owner, members, threshold) {
  const artifact = require("../../../bridge/contracts/artifacts/Confirmer.json");
  const address = await deploy(owner, artifact, [owner.address, members, threshold]);
  return new ethers.Contract(address, artifact.abi, owner);
}

/**
 * Makes the chain's rollup. `roles`: owner (a wallet), validator, confirmer, poster (addresses). Gives the addresses that
 * --parent-deployment wants.
 */
export async function deployRollup(roles, { chainId, genesisHash, moduleRoot, bounds = TIME_BOUNDS }) {
  const { owner, validator, confirmer, poster } = roles;
  const zero = ethers.constants.AddressZero, none = ethers.constants.HashZero;
  const creator = await deployCreator(owner);
  const stake = await deploy(owner, orbit("mocks/TestWETH9.sol/TestWETH9"), ["Wrapped Ether", "WETH"]);
  const chainConfig = JSON.stringify({
    chainId,
    arbitrum: { EnableArbOS: true, InitialArbOSVersion: 51, InitialChainOwner: owner.address, GenesisBlockNum: 0 },
    callipter: { genesisBlockHash: genesisHash },
  });
  const config = {
    confirmPeriodBlocks: 45818, stakeToken: stake, baseStake: 1, wasmModuleRoot: moduleRoot, owner: owner.address,
    loserStakeEscrow: owner.address, chainId, chainConfig, minimumAssertionPeriod: 1, validatorAfkBlocks: 0,
    miniStakeValues: [4, 2, 1], sequencerInboxMaxTimeVariation: bounds,
    layerZeroBlockEdgeHeight: 2 ** 26, layerZeroBigStepEdgeHeight: 2 ** 19, layerZeroSmallStepEdgeHeight: 2 ** 23,
    genesisAssertionState: { globalState: { bytes32Vals: [none, none], u64Vals: [0, 0] }, machineStatus: 1, endHistoryRoot: none },
    genesisInboxCount: 0, anyTrustFastConfirmer: confirmer, numBigStepLevel: 1, challengeGracePeriodBlocks: 10,
    bufferConfig: { threshold: 0, max: 0, replenishRateInBasis: 0 }, dataCostEstimate: 0,
  };
  const params = {
    config, validators: [validator], maxDataSize: MAX_DATA, nativeToken: zero, deployFactoriesToL2: false,
    maxFeePerGasForRetryables: 0, batchPosters: [poster], batchPosterManager: owner.address, feeTokenPricer: zero,
    customOsp: zero,
  };
  const receipt = await (await creator.createRollup(params)).wait();
  const made = receipt.events.find((e) => e.event === "RollupCreated").args;
  return {
    parentChainId: (await owner.provider.getNetwork()).chainId,
    deployedAtBlock: receipt.blockNumber,
    rollup: made.rollupAddress,
    bridge: made.bridge,
    inbox: made.inboxAddress,
    sequencerInbox: made.sequencerInbox,
    outbox: made.outbox,
    upgradeExecutor: made.upgradeExecutor,
    confirmer,
  };
}
