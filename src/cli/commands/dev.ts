import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";

/** `reconcile dev`: what `npm start` runs. */
export function devCommand(): CommandUnknownOpts {
  return new Command("dev")
    .description(
      "Runs PostgreSQL, the server and the example reconcilers. Settings come from the environment: docs/operations.md.",
    )
    .action(async () => void (await import("../../dev/main.js")));
}
