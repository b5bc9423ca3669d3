// The m-of-n confirmer with the real rollup: it confirms what enough members signed, and nothing else.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { assert, check } from "../func/lib/suite.mjs";
import { abis, confirmerArtifact, GENESIS_HASH, Parent, refused, roles, viem } from "./lib/parent.mjs";

const compile = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../scripts/l3/compile-confirmer.mjs");
const types = { Confirm: [{ name: "expectedAssertionHash", type: "bytes32" }] };
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

const emptyState = {
  globalState: { bytes32Vals: [viem.zeroHash, viem.zeroHash], u64Vals: [0n, 0n] },
  machineStatus: 1,
  endHistoryRoot: viem.zeroHash,
};

/** Inputs and hash of the assertion that consumes batch 0, as the first after genesis must. */
async function firstAssertion(p) {
  const genesis = await p.read("rollup", "genesisAssertionHash");
  const afterState = { ...emptyState, globalState: { bytes32Vals: [GENESIS_HASH, viem.zeroHash], u64Vals: [1n, 0n] } };
  const inputs = {
    beforeStateData: {
      prevPrevAssertionHash: viem.zeroHash,
      sequencerBatchAcc: viem.zeroHash,
      configData: {
        wasmModuleRoot: await p.read("rollup", "wasmModuleRoot"),
        requiredStake: await p.read("rollup", "baseStake"),
        challengeManager: await p.read("rollup", "challengeManager"),
        confirmPeriodBlocks: await p.read("rollup", "confirmPeriodBlocks"),
        nextInboxPosition: 1n,
      },
    },
    beforeState: emptyState,
    afterState,
  };
  const acc = await p.read("sequencerInbox", "inboxAccs", [0n]);
  return { inputs, hash: await p.read("rollup", "computeAssertionHash", [genesis, afterState, acc]) };
}

async function sign(p, member, hash, { verifyingContract = p.deployment.confirmer, chainId = p.peer.chainId } = {}) {
  const domain = { name: "CallipterConfirmer", version: "1", chainId, verifyingContract };
  const message = { expectedAssertionHash: hash };
  return member.account.signTypedData({ domain, types, primaryType: "Confirm", message });
}

/** The same signature with the other s, which recovers the same signer. */
function otherS(signature) {
  const s = N - BigInt(viem.slice(signature, 32, 64));
  const v = viem.slice(signature, 64) === "0x1b" ? "0x1c" : "0x1b";
  return viem.concat([viem.slice(signature, 0, 32), viem.toHex(s, { size: 32 }), v]);
}

export async function run() {
  await check("confirmer: the artifact is what the source compiles to", () =>
    execFileSync(process.execPath, [compile, "--check"], { stdio: "ignore" }),
  );
  const p = await Parent.start();
  try {
    const members = [...roles.members].sort((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));
    const { inputs, hash } = await firstAssertion(p);
    const signatures = await Promise.all(members.map((m) => sign(p, m, hash)));
    const confirm = (list, from = roles.stranger) => p.write(from, "confirmer", "confirm", [inputs, hash, list]);

    await check("confirmer: its digest is EIP-712's", async () => {
      const domain = {
        name: "CallipterConfirmer",
        version: "1",
        chainId: p.peer.chainId,
        verifyingContract: p.deployment.confirmer,
      };
      const want = viem.hashTypedData({ domain, types, primaryType: "Confirm", message: { expectedAssertionHash: hash } });
      assert.equal(await p.read("confirmer", "digest", [hash]), want);
    });
    await check("confirmer: signatures that are too few, double, out of order or strangers'", async () => {
      await refused("TooFewSignatures", () => confirm([]));
      await refused("TooFewSignatures", () => confirm([signatures[0]]));
      await refused("SignersNotAscending", () => confirm([signatures[0], signatures[0]]));
      await refused("SignersNotAscending", () => confirm([signatures[1], signatures[0]]));
      const stranger = await sign(p, roles.stranger, hash);
      await refused("NotMember", () => confirm([signatures[0], stranger]));
      await refused("NotMember", () => confirm([...signatures, stranger]));
    });
    await check("confirmer: signatures that are malformed or malleable", async () => {
      const [one, two] = signatures;
      await refused("BadSignature", () => confirm([one, otherS(two)]));
      await refused("BadSignature", () => confirm([one, viem.concat([viem.slice(two, 0, 64), "0x00"])]));
      await refused("BadSignature", () => confirm([one, viem.slice(two, 0, 64)]));
      await refused("BadSignature", () => confirm([one, viem.concat([two, "0x00"])]));
      await refused("BadSignature", () => confirm([one, viem.concat([viem.toHex(0, { size: 64 }), "0x1b"])]));
    });
    await check("confirmer: signatures over something else", async () => {
      const others = [
        await sign(p, members[1], viem.keccak256(hash)),
        await sign(p, members[1], hash, { verifyingContract: p.deployment.rollup }),
        await sign(p, members[1], hash, { chainId: 1 }),
      ];
      for (const other of others) await refused("NotMember", () => confirm([signatures[0], other]));
    });
    await check("confirmer: the rollup refuses another state under the signed hash", async () => {
      const lie = structuredClone(inputs);
      lie.afterState.globalState.bytes32Vals[0] = viem.keccak256(GENESIS_HASH);
      await refused("EXPECTED_ASSERTION", () =>
        p.write(roles.stranger, "confirmer", "confirm", [lie, hash, signatures.slice(0, 2)]),
      );
    });
    await check("confirmer: nobody else confirms", async () => {
      for (const who of [roles.validator, roles.members[0], roles.stranger])
        await refused("NOT_FAST_CONFIRMER", () => p.write(who, "rollup", "fastConfirmNewAssertion", [inputs, hash]));
    });
    await check("confirmer: only the owner names members, and the rollup only once", async () => {
      await refused("NotOwner", () => p.write(roles.stranger, "confirmer", "setMembers", [[roles.stranger.address], 1n]));
      await refused("NotOwner", () => p.write(roles.members[0], "confirmer", "setRollup", [p.deployment.bridge]));
      await refused("NotPendingOwner", () => p.write(roles.stranger, "confirmer", "acceptOwnership"));
      await p.write(roles.owner, "confirmer", "acceptOwnership");
      await refused("NotOwner", () => p.write(roles.deployer, "confirmer", "setMembers", [[roles.stranger.address], 1n]));
      await refused("RollupAlreadySet", () => p.write(roles.owner, "confirmer", "setRollup", [p.deployment.bridge]));
    });
    await check("confirmer: sets of members that make no sense", async () => {
      const set = (list, m) => p.write(roles.owner, "confirmer", "setMembers", [list, m]);
      const [a, b] = members.map((m) => m.address);
      await refused("BadThreshold", () => set([a, b], 0n));
      await refused("BadThreshold", () => set([a, b], 3n));
      await refused("BadThreshold", () => set([], 0n));
      await refused("BadMember", () => set([a, a], 1n));
      await refused("BadMember", () => set([viem.zeroAddress], 1n));
      const many = Array.from({ length: 65 }, (_, i) => viem.toHex(i + 1, { size: 20 }));
      await refused("TooManyMembers", () => set(many, 1n));
      await set(many.slice(1), 64n);
      assert.equal((await p.read("confirmer", "members")).length, 64);
    });
    await check("confirmer: who is no member any more does not count", async () => {
      await p.write(roles.owner, "confirmer", "setMembers", [[members[0].address, members[1].address], 2n]);
      await refused("NotMember", () => confirm([signatures[0], signatures[2]]));
      await p.write(roles.owner, "confirmer", "setMembers", [members.map((m) => m.address), 2n]);
    });
    await check("confirmer: two of three confirm, whoever brings it, and only once", async () => {
      const receipt = await confirm([signatures[0], signatures[2]]);
      const events = viem.parseEventLogs({ abi: [...abis.rollup, ...confirmerArtifact.abi], logs: receipt.logs });
      const confirmed = events.find((e) => e.eventName === "AssertionConfirmed");
      assert.equal(confirmed.args.assertionHash, hash);
      assert.equal(confirmed.args.blockHash, GENESIS_HASH);
      assert.equal(events.find((e) => e.eventName === "Confirmed").args.signatures, 2n);
      assert.equal(await p.read("rollup", "latestConfirmed"), hash);
      assert.equal(await p.read("outbox", "roots", [viem.zeroHash]), GENESIS_HASH);
      await refused("NOT_PENDING", () => confirm([signatures[0], signatures[1]]));
      console.log(`     gas of a confirmation with two signatures: ${receipt.gasUsed}`);
    });
  } finally {
    await p.stop();
  }
}
