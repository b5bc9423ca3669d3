// The deployment: who may do what, what the contracts hold, and what is refused before anything is sent.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { assert, check } from "../func/lib/suite.mjs";
import { deployParent, moduleRoot } from "../../scripts/l3/deploy-parent.mjs";
import { abis, GENESIS_HASH, Parent, refused, roles, viem } from "./lib/parent.mjs";

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../scripts/l3/deploy-parent.mjs");
const accessAbi = viem.parseAbi(["function hasRole(bytes32,address) view returns (bool)"]);

export async function run() {
  const p = await Parent.start();
  const d = p.deployment;
  try {
    await check("deploy: the parent looks like Arbitrum to the contracts", async () => {
      assert.equal(d.parentIsArbitrum, true);
      assert.equal(await p.read("sequencerInbox", "maxDataSize"), 104857n);
      assert.equal(await p.read("sequencerInbox", "reader4844"), viem.zeroAddress);
    });
    await check("deploy: each role is one account's, and only its", async () => {
      assert.equal(await p.read("sequencerInbox", "isBatchPoster", [roles.batchPoster.address]), true);
      assert.equal(await p.read("sequencerInbox", "isBatchPoster", [roles.owner.address]), false);
      assert.equal(await p.read("rollup", "isValidator", [roles.validator.address]), true);
      assert.equal(await p.read("rollup", "isValidator", [roles.batchPoster.address]), false);
      assert.equal(await p.read("rollup", "validatorWhitelistDisabled"), false);
      assert.equal(await p.read("rollup", "validatorAfkBlocks"), 0n);
      assert.equal(await p.read("rollup", "anyTrustFastConfirmer"), d.confirmer);
      const executor = viem.keccak256(viem.stringToHex("EXECUTOR_ROLE"));
      for (const [account, has] of [
        [roles.owner, true],
        [roles.deployer, false],
      ])
        assert.equal(await p.read(d.upgradeExecutor, "hasRole", [executor, account.address], accessAbi), has);
    });
    await check("deploy: the confirmer knows its rollup and waits for its owner", async () => {
      assert.equal(await p.read("confirmer", "rollup"), d.rollup);
      assert.equal(await p.read("confirmer", "threshold"), 2n);
      assert.deepEqual(
        await p.read("confirmer", "members"),
        roles.members.map((m) => m.address),
      );
      assert.equal(await p.read("confirmer", "pendingOwner"), roles.owner.address);
      await p.write(roles.owner, "confirmer", "acceptOwnership");
      assert.equal(await p.read("confirmer", "owner"), roles.owner.address);
    });
    await check("deploy: message 0 names the genesis block", async () => {
      const [event] = await p.public.getContractEvents({
        address: d.rollupEventInbox,
        abi: abis.inbox,
        eventName: "InboxMessageDelivered",
        fromBlock: BigInt(d.deployedAtBlock),
      });
      assert.equal(event.args.messageNum, 0n);
      assert.equal(BigInt(viem.slice(event.args.data, 0, 32)), 333333n);
      const config = JSON.parse(viem.hexToString(viem.slice(event.args.data, 65)));
      assert.equal(config.callipter.genesisBlockHash, GENESIS_HASH);
      assert.equal(config.chainId, 333333);
    });
    await check("deploy: parameters are the genesis file's", async () => {
      assert.deepEqual(await p.read("sequencerInbox", "maxTimeVariation"), [200n, 12n, 86400n, 3600n]);
      assert.equal(await p.read("rollup", "chainId"), 333333n);
      assert.equal(await p.read("rollup", "wasmModuleRoot"), moduleRoot(1));
      assert.equal(await p.read("bridge", "sequencerMessageCount"), 1n);
      assert.equal(await p.read("bridge", "delayedMessageCount"), 1n);
    });
    await check("deploy: as a program, with the creator of another rollup", async () => {
      const folder = mkdtempSync(path.join(os.tmpdir(), "callipter-deploy-"));
      const genesis = path.join(folder, "genesis.json");
      const out = path.join(folder, "deployment.json");
      writeFileSync(genesis, JSON.stringify({ config: { chainId: 333334 } }));
      const members = roles.members.flatMap((m) => ["--member", m.address]);
      const args = ["--rpc", p.url, "--genesis", genesis, "--genesis-hash", GENESIS_HASH, "--owner", roles.owner.address];
      const more = ["--validator", roles.validator.address, "--batch-poster", roles.batchPoster.address, ...members];
      execFileSync(
        process.execPath,
        [script, ...args, ...more, "--threshold", "3", "--rollup-creator", d.rollupCreator, "--out", out],
        { env: { ...process.env, DEPLOYER_KEY: roles.deployer.key }, stdio: "inherit" },
      );
      const made = JSON.parse(readFileSync(out, "utf8"));
      rmSync(folder, { recursive: true });
      assert.equal(made.chainId, 333334);
      assert.equal(made.confirmPeriodBlocks, 45818);
      assert.notEqual(made.rollup, d.rollup);
      assert.equal(await p.read(made.rollup, "anyTrustFastConfirmer", [], abis.rollup), made.confirmer);
    });
    await check("deploy: roles that clash and the wrong parent are refused", async () => {
      const good = {
        rpcUrl: p.url,
        deployerKey: roles.deployer.key,
        genesis: { config: { chainId: 5 } },
        genesisHash: GENESIS_HASH,
        owner: roles.owner.address,
        validators: [roles.validator.address],
        batchPosters: [roles.batchPoster.address],
        confirmerMembers: [roles.members[0].address],
        confirmerThreshold: 1,
      };
      const before = await p.public.getBlockNumber();
      await refused("owner must have no other role", () => deployParent({ ...good, validators: [roles.owner.address] }));
      await refused("must be distinct", () => deployParent({ ...good, batchPosters: [roles.validator.address] }));
      await refused("names parent chain 1", () =>
        deployParent({ ...good, genesis: { config: { chainId: 5 }, callipter: { parentChainId: 1 } } }),
      );
      assert.equal(await p.public.getBlockNumber(), before);
    });
  } finally {
    await p.stop();
  }
  await check("deploy: on a parent that is not Arbitrum", async () => {
    const plain = await Parent.start({ anvil: { arbitrum: false } });
    try {
      assert.equal(plain.deployment.parentIsArbitrum, false);
      assert.equal(await plain.read("sequencerInbox", "maxDataSize"), 117964n);
    } finally {
      await plain.stop();
    }
  });
}
