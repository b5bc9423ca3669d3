// node run.mjs [SUITE...]: runs the suites, all without arguments.
import { finish, runSuites } from "../func/lib/suite.mjs";

const all = ["deploy", "confirmer", "bridge", "run"];
await runSuites(import.meta.url, all);
finish();
