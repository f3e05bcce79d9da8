// A worker in a process of its own, made of what the package offers: `worker-process.mjs <server> <kind>
// <lease duration in ms>`. Its passes over resources whose spec says {"hold": true} last until they are aborted, and one over
// {"poison": true} ends the process. Says what it does as lines of JSON.
import { defineReconciler, done, runControlLoop } from "../../dist/src/controlloop/index.js";

const [serverUrl, kind, leaseDuration] = process.argv.slice(2);
const say = (event, fields) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);

runControlLoop({
  serverUrl,
  reconcilers: [
    defineReconciler({
      name: `${kind}-reconciler`,
      resourceGroup: "work",
      kind,
      leaseDurationMs: Number(leaseDuration),
      concurrency: 64,
      async reconcile({ key, spec }, { signal }) {
        say("started", { name: key.name });
        if (spec.poison) process.exit(1);
        if (spec.hold) {
          await new Promise((resolve) => {
            // The timer keeps the pass, and with it the process, alive.
            const timer = setInterval(() => {}, 60_000);
            signal.addEventListener("abort", () => {
              clearInterval(timer);
              resolve();
            });
          });
          say("aborted", { name: key.name, reason: signal.reason.name });
        }
        return done({ by: process.pid });
      },
    }),
  ],
});
