// The curl lines of README.md, as they stand there, on a new development chain: from nothing to a transferred token.
//   node suite_quickstart.mjs writes quickstart/token.json, which the first of them sends, from quickstart/Token.sol
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import solc from "solc";
import { createPublicClient, getContractAddress, http, parseAbi } from "viem";
import { Node, devAccounts } from "./lib/node.mjs";
import { assert, check } from "./lib/suite.mjs";

const file = (path) => new URL(path, import.meta.url);
const top = fileURLToPath(file("../../"));
const LINES = 5;
const DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"; // the first development account

/** The request that deploys Token.sol. */
function request() {
  const input = {
    language: "Solidity",
    sources: { "Token.sol": { content: readFileSync(file("quickstart/Token.sol"), "utf8") } },
    settings: {
      optimizer: { enabled: true, runs: 200 },
      evmVersion: "cancun",
      metadata: { appendCBOR: false, bytecodeHash: "none" },
      outputSelection: { "*": { "*": ["evm.bytecode.object"] } },
    },
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const data = `0x${output.contracts["Token.sol"].Token.evm.bytecode.object}`;
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_sendTransaction", params: [{ from: DEPLOYER, data }] }) + "\n";
}

/** The lines, and the answer that README.md says the last one gives. */
function readme() {
  const text = readFileSync(file("../../README.md"), "utf8");
  const lines = text.split("\n").filter((l) => l.startsWith("curl "));
  const answer = /^\{"jsonrpc":"2\.0","id":1,"result":"(0x[0-9a-f]{64})"\}$/m.exec(text);
  return { lines, answer: answer?.[1] };
}

async function followed(node) {
  const { lines, answer } = readme();
  assert.equal(lines.length, LINES);
  assert.ok(answer, "README.md says what the last line answers");
  const results = [];
  for (const line of lines) {
    assert.ok(line.includes(" 127.0.0.1:8545"), line);
    const command = line.replace("127.0.0.1:8545", node.address);
    const { stdout } = await promisify(execFile)("bash", ["-c", command], { cwd: top });
    const reply = JSON.parse(stdout);
    assert.ok("result" in reply, `${line}\n${stdout}`);
    results.push(reply.result);
  }
  assert.equal(results.at(-1), answer);

  // What a client that was not there sees.
  const client = createPublicClient({ transport: http(node.url) });
  const address = getContractAddress({ from: DEPLOYER, nonce: 0n });
  const abi = parseAbi(["function balanceOf(address) view returns (uint256)", "function symbol() view returns (string)"]);
  const balance = (who) => client.readContract({ address, abi, functionName: "balanceOf", args: [who] });
  const recipient = devAccounts(node)[1].address;
  assert.equal(await balance(recipient), BigInt(answer));
  assert.equal(await balance(DEPLOYER), 1000000n - BigInt(answer));
  assert.equal(await client.readContract({ address, abi, functionName: "symbol" }), "QS");
}

export async function run() {
  await check("quickstart: token.json is Token.sol compiled", () => {
    assert.equal(readFileSync(file("quickstart/token.json"), "utf8"), request());
  });
  const node = await Node.start();
  await check("quickstart: README.md's five curl lines", () => followed(node));
  await node.stop();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file("quickstart/token.json"), request());
