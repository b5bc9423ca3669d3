// node run.mjs [SUITE...]: runs the suites (all without arguments) against $CALLIPTER.
import { finish, runSuites } from "../func/lib/suite.mjs";

const all = ["settle", "forward", "backlog", "tickets", "reorg", "confirm", "sdk", "liar", "history", "routes", "rebuild", "secrets"];
await runSuites(import.meta.url, all);
finish();
