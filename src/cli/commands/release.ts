import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { nameOf } from "../name-of.js";
import { oneResourceCommand } from "../options.js";
import { findResource, readNamedTarget } from "../target.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile release`: a quarantined resource is due now, its strikes are forgotten. */
export function releaseCommand(cli: Cli): CommandUnknownOpts {
  return oneResourceCommand("release").action(async (kind, name, options) => {
    const target = readNamedTarget(kind, name);
    await withClient(cli, options, async (client, place) => {
      const { key } = await findResource(client, place, target);
      await client.releaseQuarantine(key);
      await cli.out.write(`${nameOf(key)} released\n`);
    });
  });
}
