import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ResourceClient, ResourceKey } from "../../client/index.js";
import { alignKeys } from "../../manifest/align-keys.js";
import { documentOf } from "../../manifest/resource-document.js";
import { yamlText } from "../../manifest/yaml.js";
import { Failure, usageError } from "../exit-codes.js";
import { describeFailure } from "../failure-text.js";
import { isOf } from "../known-kinds.js";
import { nameOf } from "../name-of.js";
import { oneResourceCommand } from "../options.js";
import type { Place } from "../place.js";
import { printable } from "../printable.js";
import { readCount } from "../printers/count.js";
import { unifiedDiff } from "../printers/diff.js";
import { showTime } from "../printers/duration.js";
import { HISTORY_COLUMNS } from "../printers/history-table.js";
import { printEach } from "../printers/print-each.js";
import { Table } from "../printers/table.js";
import { recentChanges, type Step } from "../recent-changes.js";
import { lookUpResource, type NamedTarget, readingsOf, readNamedTarget } from "../target.js";
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
        const show = (some: readonly Step[]) => cli.out.write(some.map((step) => stepDiff(cli, step)).join(""));
        for await (const step of recentChanges(client, key, options.limit)) {
          steps.push(step);
          if (options.diff) await printEach([step], show, (each, error) => sayUnshown(cli, each, error));
        }
        if (steps.length === 0)
          throw new Failure(`the log has nothing of ${nameOf(target)} in namespace ${place.namespace}`);
        const table = new Table(cli.out, HISTORY_COLUMNS);
        if (!options.diff)
          await printEach(
            steps,
            (some) => table.print(some),
            (each, error) => sayUnshown(cli, each, error),
          );
      });
    });
}

/** A removed resource has a history too, but only the list of kinds tells its group. */
async function findKey(client: ResourceClient, place: Place, target: NamedTarget): Promise<ResourceKey> {
  const found = await lookUpResource(client, place, target);
  if (found !== undefined) return found.key;
  if (place.group !== undefined) return { resourceGroup: place.group, namespace: place.namespace, ...target };
  const { kinds } = await client.kinds();
  const keys = readingsOf(target, place).flatMap(({ kind, group, namespace, name = target.name }) =>
    kinds
      .filter((known) => isOf(known, kind, group))
      .map(({ resourceGroup }) => ({ resourceGroup, kind, namespace, name })),
  );
  const [key] = keys;
  if (key !== undefined && keys.length === 1) return key;
  throw usageError(`there is no ${nameOf(target)}; for the history of a removed one name its --group`);
}

async function sayUnshown({ err }: Cli, { entry }: Step, error: unknown): Promise<void> {
  const why = printable(describeFailure(error).text);
  await err.write(`${err.style("yellow", "warning:")} revision ${entry.revision} cannot be shown: ${why}\n`);
}

function stepDiff({ out }: Cli, { entry, before }: Step): string {
  const nothing = entry.type === "ADDED" ? "nothing" : "before that, which the log no longer has";
  const old = before && documentOf(before);
  const after = entry.type === "DELETED" ? "" : yamlText(alignKeys(documentOf(entry.resource), old));
  const title = `revision ${entry.revision}, ${entry.type}, ${showTime(entry.committedAt)}`;
  return unifiedDiff(
    out,
    {
      title: before === undefined ? nothing : `revision ${before.revision}`,
      text: old === undefined ? "" : yamlText(old),
    },
    { title, text: after },
  );
}
