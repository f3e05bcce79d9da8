import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";

/** `reconcile serve`: what `npm run serve` runs. */
export function serveCommand(): CommandUnknownOpts {
  return new Command("serve")
    .description("Runs the server. Settings come from the environment: docs/operations.md.")
    .action(async () => void (await import("../../state-manager/main.js")));
}
