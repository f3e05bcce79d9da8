import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { VERSION } from "../../shared/version.js";
import { EXIT } from "../exit-codes.js";
import { describeFailure } from "../failure-text.js";
import { connectedCommand } from "../options.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile version`: of this program, and of the server if one answers. */
export function versionCommand(cli: Cli): CommandUnknownOpts {
  return connectedCommand("version")
    .option("--client", "only of this program")
    .action(async (options) => {
      await cli.out.write(`client ${VERSION} (Node.js ${process.versions.node})\n`);
      if (options.client) return;
      try {
        await withClient(cli, options, async (client, place) => {
          const { version } = await client.serverStatus();
          await cli.out.write(`server ${version} at ${place.server}\n`);
        });
      } catch (error) {
        const { text, exitCode } = describeFailure(error);
        if (exitCode !== EXIT.unreachable) throw error;
        await cli.out.write(`server unknown: ${text}\n`);
      }
    });
}
