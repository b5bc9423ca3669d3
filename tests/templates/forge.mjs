// Runs genesis/contracts/test with forge, offline, in a temporary folder; prints `N passed, N failed` last.
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, "../..");
const dir = mkdtempSync(path.join(tmpdir(), "callipter-templates-"));
const { RUNS = "24", FUZZ = "200", SEED = "1" } = process.env;

cpSync(path.join(root, "genesis/contracts/src"), path.join(dir, "src"), { recursive: true });
cpSync(path.join(root, "genesis/contracts/test"), path.join(dir, "test"), { recursive: true });
cpSync(path.join(root, "genesis/templates"), path.join(dir, "templates"), { recursive: true });
mkdirSync(path.join(dir, "home"));
// The tests deploy the artifacts; what forge compiles here gives them types.
writeFileSync(
  path.join(dir, "foundry.toml"),
  `[profile.default]
libs = []
solc = ${JSON.stringify(path.join(root, "tests/func/clients/solc"))}
offline = true
optimizer = false
evm_version = "cancun"
fs_permissions = [{ access = "read", path = "./templates" }]
remappings = ["@openzeppelin/=${path.join(root, "tests/func/node_modules/@openzeppelin")}/"]
[fuzz]
runs = ${FUZZ}
seed = "0x${BigInt(SEED).toString(16)}"
[invariant]
runs = ${RUNS}
depth = 64
fail_on_revert = true
show_metrics = false
`,
);

const forge = path.join(here, "node_modules/@foundry-rs/forge-linux-amd64/bin/forge");
const child = spawn(forge, ["test", ...process.argv.slice(2)], {
  cwd: dir,
  env: { ...process.env, HOME: path.join(dir, "home"), NO_COLOR: "1", FOUNDRY_DISABLE_NIGHTLY_WARNING: "1" },
  stdio: ["ignore", "pipe", "inherit"],
});
let out = "";
child.stdout.on("data", (d) => {
  out += d;
  process.stdout.write(d);
});
const code = await new Promise((resolve) => {
  child.on("error", (e) => resolve(String(e)));
  child.on("close", resolve);
});
rmSync(dir, { recursive: true, force: true });
const sum = (word) => [...out.matchAll(new RegExp(`^Suite result: .*?(\\d+) ${word}`, "gm"))].reduce((n, m) => n + Number(m[1]), 0);
const [passed, failed] = [sum("passed"), sum("failed")];
const broken = failed === 0 && (code !== 0 || passed === 0); // it did not compile, or ran nothing
if (broken) console.log(`FAIL forge ended with ${code}`);
console.log(`${passed} passed, ${failed + Number(broken)} failed`);
process.exit(failed + Number(broken) ? 1 : 0);
