import { runServer } from "./run-server.js";

/** The state-manager as a program of its own; `reconcile serve` is the same. */
process.exitCode = await runServer(process.env);
