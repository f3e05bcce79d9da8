import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ResourceClient, ResourceKey } from "../../client/index.js";
import { documentOf } from "../../manifest/resource-document.js";
import { yamlText } from "../../manifest/yaml.js";
import { Failure, usageError } from "../exit-codes.js";
import { nameOf } from "../name-of.js";
import { oneResourceCommand } from "../options.js";
import type { Place } from "../place.js";
import { readCount } from "../printers/count.js";
import { unifiedDiff } from "../printers/diff.js";
import { showTime } from "../printers/duration.js";
import { HISTORY_COLUMNS } from "../printers/history-table.js";
import { Table } from "../printers/table.js";
import { recentChanges, type Step } from "../recent-changes.js";
import { lookUpResource, type NamedTarget, readNamedTarget } from "../target.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile history`: what the log has kept of one key, newest first; of a removed resource too. */
export function historyCommand(cli: Cli): CommandUnknownOpts {
  return oneResourceCommand("history")
    .option("--diff", "each change as a diff of the whole resource")
    .option("--limit <count>", "how many changes at most", readCount, 20)
    .action(async (kind, name, options) => {
      const target = readNamedTarget(kind, name);
      await withClient(cli, options, async (client, place) => {
        const key = await findKey(client, place, target);
        const steps = [];
        for await (const step of recentChanges(client, key, options.limit)) {
          steps.push(step);
          if (options.diff) await cli.out.write(stepDiff(cli, step));
        }
        if (steps.length === 0)
          throw new Failure(`the log has nothing of ${nameOf(target)} in namespace ${place.namespace}`);
        if (!options.diff) await new Table(cli.out, HISTORY_COLUMNS).print(steps);
      });
    });
}

/** A removed resource has a history too, but only the list of kinds tells its group. */
async function findKey(client: ResourceClient, place: Place, target: NamedTarget): Promise<ResourceKey> {
  const found = await lookUpResource(client, place, target);
  if (found !== undefined) return found.key;
  const { kind, name } = target;
  const { namespace } = place;
  if (place.group !== undefined) return { resourceGroup: place.group, kind, namespace, name };
  const groups = (await client.kinds()).kinds.filter((each) => each.kind === kind).map((each) => each.resourceGroup);
  const [resourceGroup] = groups;
  if (resourceGroup !== undefined && groups.length === 1) return { resourceGroup, kind, namespace, name };
  throw usageError(`there is no ${nameOf(target)}; for the history of a removed one name its --group`);
}

function stepDiff({ out }: Cli, { entry, before }: Step): string {
  const nothing = entry.type === "ADDED" ? "nothing" : "before that, which the log no longer has";
  const after = entry.type === "DELETED" ? "" : yamlText(documentOf(entry.resource));
  const title = `revision ${entry.revision}, ${entry.type}, ${showTime(entry.committedAt)}`;
  return unifiedDiff(
    out,
    {
      title: before === undefined ? nothing : `revision ${before.revision}`,
      text: before === undefined ? "" : yamlText(documentOf(before)),
    },
    { title, text: after },
  );
}
