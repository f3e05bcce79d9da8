import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { oneResourceCommand } from "../options.js";
import { describeResource } from "../printers/description.js";
import { HISTORY_COLUMNS } from "../printers/history-table.js";
import { Table } from "../printers/table.js";
import { recentChanges } from "../recent-changes.js";
import { findResource, readNamedTarget } from "../target.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

const CHANGES_SHOWN = 10;

/** `reconcile describe`: all there is to know about one resource. */
export function describeCommand(cli: Cli): CommandUnknownOpts {
  return oneResourceCommand("describe").action(async (kind, name, options) => {
    const target = readNamedTarget(kind, name);
    await withClient(cli, options, async (client, place) => {
      const resource = await findResource(client, place, target);
      const work = await client.getWork(resource.key);
      const steps = [];
      for await (const step of recentChanges(client, resource.key, CHANGES_SHOWN)) steps.push(step);
      await cli.out.write(describeResource(cli.out, resource, work));
      await cli.out.write(`\n${cli.out.style("bold", "Recent changes")}\n`);
      await new Table(cli.out, HISTORY_COLUMNS).print(steps);
    });
  });
}
