// An L3 on this machine: Anvil as an Arbitrum-like parent, the real contracts, a sequencer that posts, and two validators of a
// committee of three, of whom two confirm. Each in a process of its own; all ends with this one. `make run-l3` runs it.
//   CALLIPTER=build/callipter  L3_PORT=8545 (sequencer)  PARENT_PORT=8549; port 0 is a free one
// As a module: startL3(), deposit().
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createPublicClient, createWalletClient, defineChain, formatEther, http, parseEther } from "viem";
import { roles } from "./accounts.mjs";
import { Anvil } from "./anvil.mjs";
import { abis, deployParent } from "./deploy-parent.mjs";

const PARENT_CHAIN_ID = 412346;
const CHAIN_ID = 333333;
const READY_MS = 60000; // a machine may be busy
const DEPOSIT_MS = 60000;
const here = path.dirname(fileURLToPath(import.meta.url));
export const binary = process.env.CALLIPTER ?? path.join(here, "../../build/callipter");

/** A node of ours, ready to serve. `errors` is what it logged. */
async function startNode(name, args) {
  const node = { name, errors: "" };
  node.child = spawn(binary, ["run", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  node.exited = new Promise((resolve) => node.child.on("exit", (code, signal) => resolve({ code, signal })));
  node.child.stderr.on("data", (d) => (node.errors = (node.errors + d).slice(-65536)));
  process.on("exit", () => node.child.kill("SIGKILL"));
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name} is not ready in ${READY_MS} ms\n${node.errors}`)), READY_MS);
    let out = "";
    node.child.stdout.on("data", (d) => {
      out = (out + d).slice(-65536);
      const m = /^ready http=(\S+)/m.exec(out);
      if (!m) return;
      clearTimeout(timer);
      node.url = `http://${m[1]}`;
      resolve();
    });
    node.exited.then((e) => reject(new Error(`${name} ended with ${JSON.stringify(e)}\n${node.errors}`)));
  });
  node.stop = async () => {
    node.child.kill("SIGTERM");
    return (await node.exited).code;
  };
  return node;
}

function writeKey(folder, name, key) {
  const file = path.join(folder, `${name}.key`);
  writeFileSync(file, `${key}\n`, { mode: 0o600 });
  return file;
}

export function chainOf(id, name, url) {
  const nativeCurrency = { name: "Ether", symbol: "ETH", decimals: 18 };
  return defineChain({ id, name, nativeCurrency, rpcUrls: { default: { http: [url] } } });
}

/**
 * Starts everything. options: port and parentPort (free ones by default), genesis (more keys of section "callipter"), args (more
 * flags of the sequencer), batchMaxAge in seconds. The operator's account may create universes and has nothing on the chain yet.
 * Gives {folder, anvil, deployment, sequencer, members, adminKey, parent and child (viem clients), stop()}.
 */
export async function startL3({ port = 0, parentPort, genesis = {}, args = [], batchMaxAge = 2 } = {}) {
  const folder = mkdtempSync(path.join(os.tmpdir(), "callipter-l3-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const anvil = await Anvil.start({
    chainId: PARENT_CHAIN_ID,
    port: parentPort,
    args: ["--slots-in-an-epoch", "1", "--base-fee", "100000000"],
  });
  const file = {
    config: { chainId: CHAIN_ID },
    alloc: {},
    callipter: {
      parentChainId: PARENT_CHAIN_ID,
      owners: [roles.owner.address],
      creators: [roles.operator.address],
      ...genesis,
    },
  };
  const genesisFile = path.join(folder, "genesis.json");
  writeFileSync(genesisFile, JSON.stringify(file));
  const init = spawnSync(binary, ["init", "--chain", genesisFile, "--datadir", path.join(folder, "init")], {
    encoding: "utf8",
  });
  const genesisHash = /^block 0 (0x[0-9a-f]{64})$/m.exec(init.stdout)?.[1];
  if (!genesisHash) throw new Error(`callipter init: ${init.error ?? init.stderr}`);
  const deployment = await deployParent({
    rpcUrl: anvil.url,
    deployerKey: roles.deployer.key,
    genesis: file,
    genesisHash,
    owner: roles.owner.address,
    validators: [roles.validator.address],
    batchPosters: [roles.batchPoster.address],
    confirmerMembers: roles.members.map((m) => m.address),
    confirmerThreshold: 2,
  });
  const deploymentFile = path.join(folder, "deployment.json");
  writeFileSync(deploymentFile, JSON.stringify(deployment, null, 1));

  const common = (name, http) => {
    const datadir = path.join(folder, name);
    mkdirSync(datadir);
    const parent = ["--parent-url", anvil.url, "--parent-deployment", deploymentFile, "--parent-poll-ms", "100"];
    return ["--chain", genesisFile, "--datadir", datadir, "--http", `127.0.0.1:${http}`, ...parent];
  };
  const poster = ["--poster-key", writeKey(folder, "poster", roles.batchPoster.key), "--batch-max-age", String(batchMaxAge)];
  const sequencer = await startNode("sequencer", [
    ...common("sequencer", port),
    ...poster,
    "--operator-key",
    writeKey(folder, "operator", roles.operator.key),
    "--delayed-finality",
    "latest",
    ...args,
  ]);
  const member = (i) => {
    const key = writeKey(folder, `member-${i}`, roles.members[i].key);
    const often = ["--assertion-finality", "latest", "--assertion-interval", "2"];
    return ["--role", "validator", "--sequencer-url", sequencer.url, "--member-key", key, ...often];
  };
  const first = await startNode("member", [...common("member", 0), ...member(0)]);
  const proposerKey = writeKey(folder, "proposer", roles.validator.key);
  const second = await startNode("proposing member", [
    ...common("proposer", 0),
    ...member(1),
    "--proposer-key",
    proposerKey,
    "--member-urls",
    first.url,
  ]);
  const members = [first, second];
  const client = (id, name, url) => {
    const chain = chainOf(id, name, url);
    const transport = http(url);
    return {
      chain,
      public: createPublicClient({ chain, transport, pollingInterval: 50, cacheTime: 0 }),
      wallet: createWalletClient({ chain, transport }),
    };
  };
  return {
    folder,
    anvil,
    deployment,
    deploymentFile,
    sequencer,
    members,
    adminKey: readFileSync(path.join(folder, "sequencer/secrets/admin-key"), "utf8").trim(),
    parent: client(PARENT_CHAIN_ID, "parent", anvil.url),
    child: client(CHAIN_ID, "Callipter", sequencer.url),
    async stop() {
      const codes = [];
      for (const node of [...members, sequencer]) codes.push(await node.stop());
      await anvil.stop();
      return codes.every((code) => code === 0);
    },
  };
}

/** Deposits through the parent's inbox and waits until it is there. */
export async function deposit(l3, who, ether) {
  const value = parseEther(ether);
  const address = who.address;
  const before = await l3.child.public.getBalance({ address });
  const hash = await l3.parent.wallet.writeContract({
    address: l3.deployment.inbox,
    abi: abis.inbox,
    functionName: "depositEth",
    value,
    account: who.account,
  });
  await l3.parent.public.waitForTransactionReceipt({ hash });
  for (const end = Date.now() + DEPOSIT_MS; ; await new Promise((r) => setTimeout(r, 50))) {
    if ((await l3.child.public.getBalance({ address })) >= before + value) return hash;
    if (Date.now() > end) throw new Error(`the deposit ${hash} has not arrived in ${DEPOSIT_MS} ms`);
  }
}

async function main() {
  const l3 = await startL3({
    port: Number(process.env.L3_PORT ?? 8545),
    parentPort: Number(process.env.PARENT_PORT ?? 8549) || undefined,
  });
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    process.exit((await l3.stop()) ? 0 : 1);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  for (const node of [l3.sequencer, ...l3.members])
    node.exited.then(() => {
      if (stopping) return;
      console.error(`the ${node.name} ended\n${node.errors}`);
      stop();
    });
  const hash = await deposit(l3, roles.user, "10");
  await deposit(l3, roles.operator, "10"); // what universes are made of
  const balance = await l3.child.public.getBalance({ address: roles.user.address });
  const rows = [
    ["L3", `${l3.sequencer.url}  chain id ${CHAIN_ID}`],
    ["parent", `${l3.anvil.url}  chain id ${PARENT_CHAIN_ID}`],
    ...l3.members.map((m) => [m.name, m.url]),
    ["contracts", l3.deploymentFile],
    ["inbox", l3.deployment.inbox],
    ["rollup", l3.deployment.rollup],
    ["owner", `${roles.owner.address}  key ${roles.owner.key}`],
    ["operator", `${roles.operator.address}  API key ${l3.adminKey}`],
    ["user", `${roles.user.address}  key ${roles.user.key}`],
    ["deposit", `${hash}: the user has ${formatEther(balance)} ETH on the L3`],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(17)} ${value}`);
  console.log("ready; Ctrl-C ends it");
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().catch((e) => {
    console.error(e.shortMessage ?? e.message);
    process.exit(1);
  });
