import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { nameOf } from "../name-of.js";
import { resourceCommand } from "../options.js";
import { printable } from "../printable.js";
import { findResource, readNamedTarget } from "../target.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile remove-finalizer`: by force; the reason is recorded in the resource. */
export function removeFinalizerCommand(cli: Cli): CommandUnknownOpts {
  return resourceCommand("remove-finalizer")
    .description('What the finalizer protected may stay behind. "reconcile describe" tells who is to take it off.')
    .argument("<kind/name>", "the resource, for example website/blog")
    .argument("<finalizer>", "what to take off")
    .requiredOption("-m, --message <text>", "why, and who says so; recorded")
    .action(async (named, finalizer, options) => {
      const target = readNamedTarget(named, undefined);
      await withClient(cli, options, async (client, place) => {
        const { key, uid } = await findResource(client, place, target);
        const { removed } = await client.forceRemoveFinalizer(key, finalizer, options.message, { uid });
        await cli.out.write(
          `${printable(finalizer)} taken off ${nameOf(key)}${removed ? ", which is gone now" : ""}\n`,
        );
      });
    });
}
