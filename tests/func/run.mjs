// node run.mjs [SUITE...]: runs the suites (all without arguments) against $CALLIPTER.
import { finish, runSuites } from "./lib/suite.mjs";

const all = ["viem", "cast", "ethers", "rpc", "filters", "ws", "transport", "hostile", "restart", "ops", "genesis", "system", "universe", "templates", "api", "cli", "quickstart"];
await runSuites(import.meta.url, all);
finish();
