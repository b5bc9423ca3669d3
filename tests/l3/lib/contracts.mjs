// The chain's contracts on the parent: scripts/l3/deploy-parent.mjs with wallets of ethers.
import { abis, deployParent } from "../../../scripts/l3/deploy-parent.mjs";

export const TIME_BOUNDS = { delayBlocks: 5760, futureBlocks: 48, delaySeconds: 86400, futureSeconds: 3600 };

export const bridgeAbi = abis.bridge;
export const inboxAbi = abis.inbox;
export const sequencerInboxAbi = abis.sequencerInbox;
export const rollupAbi = [...abis.rollup, ...abis.rollupAdmin.filter((e) => e.name?.startsWith("set"))];

/**
 * Makes the chain's rollup and its confirmer. `roles`: owner (a wallet, which also pays), validator, poster and members
 * (addresses); `threshold` members confirm. Gives what --parent-deployment wants.
 */
export function deployRollup(roles, { genesis, genesisHash, threshold }) {
  const { owner, validator, poster, members } = roles;
  return deployParent({
    rpcUrl: owner.provider.connection.url,
    deployerKey: owner.privateKey,
    genesis,
    genesisHash,
    owner: owner.address,
    validators: [validator],
    batchPosters: [poster],
    confirmerMembers: members,
    confirmerThreshold: threshold,
  });
}
