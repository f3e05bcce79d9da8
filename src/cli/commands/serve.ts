import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Cli } from "../terminal.js";

/** `reconcile serve`: what `npm run serve` runs. */
export function serveCommand(cli: Cli, exit: (code: number) => void): CommandUnknownOpts {
  return new Command("serve")
    .description("Runs the server. Settings come from the environment: docs/operations.md.")
    .action(async () => {
      const { runServer } = await import("../../state-manager/run-server.js");
      exit(await runServer(cli.env));
    });
}
