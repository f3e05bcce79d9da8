import { type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { isNotFound, type Propagation, type ResourceClient, type ResourceKey } from "../../client/index.js";
import { usageError } from "../exit-codes.js";
import { loadManifests } from "../load-manifests.js";
import { nameOf } from "../name-of.js";
import { filesOption, resourceCommand, timeoutOption } from "../options.js";
import { findResource, readNamedTarget } from "../target.js";
import type { Cli } from "../terminal.js";
import { deletedGoal, waitFor } from "../wait-for.js";
import { withClient } from "../with-client.js";

/** `reconcile delete`: one resource, or what files declare. What is gone already is no failure with -f. */
export function deleteCommand(cli: Cli): CommandUnknownOpts {
  return resourceCommand("delete")
    .argument("[kind]", "a kind, or KIND/NAME")
    .argument("[name]", "the resource")
    .addOption(filesOption().makeOptionMandatory(false))
    .addOption(
      new Option("--propagation <how>", "what becomes of what belongs to it")
        .choices(["background", "foreground", "orphan"])
        .default("background" as const),
    )
    .option("--dry-run", "let the server decide, and write nothing")
    .option("--wait", "until it is gone")
    .addOption(timeoutOption("of --wait"))
    .action(async (kind, name, options) => {
      const { filename, propagation, dryRun = false, timeout } = options;
      const target = kind === undefined ? undefined : readNamedTarget(kind, name);
      if ((target === undefined) === (filename === undefined)) throw usageError("name one resource, or files with -f");
      const manifests = filename === undefined ? [] : await loadManifests(cli, { ...options, filename });
      const deletion: Deletion = { propagation, dryRun, isWaiting: options.wait === true && !dryRun };
      await withClient(cli, options, async (client, place) => {
        const keys =
          target === undefined
            ? manifests.map(({ draft }) => draft.key)
            : [(await findResource(client, place, target)).key];
        // In reverse: what belongs to others stands behind them, and need not be deleted with them.
        const deadline = performance.now() + timeout;
        const held: HeldDeletion[] = [];
        for (const key of keys.toReversed()) {
          const uid = await deleteOne(cli, client, key, deletion);
          if (uid !== undefined) held.push({ key, uid });
        }
        if (!deletion.isWaiting) return;
        for (const { key, uid } of held) {
          await waitFor(client, key, deletedGoal(uid), { deadline, signal: cli.signal });
          await cli.out.write(`${nameOf(key)} ${cli.out.style("red", "deleted")}\n`);
        }
      });
    });
}

interface Deletion {
  readonly propagation: Propagation;
  readonly dryRun: boolean;
  readonly isWaiting: boolean;
}

/** A resource whose finalizers keep it for now. */
interface HeldDeletion {
  readonly key: ResourceKey;
  readonly uid: string;
}

/** Answers with the uid of what is still there. */
async function deleteOne(
  cli: Cli,
  client: ResourceClient,
  key: ResourceKey,
  { isWaiting, ...deletion }: Deletion,
): Promise<string | undefined> {
  const say = (text: string) => cli.out.write(`${nameOf(key)} ${text}${deletion.dryRun ? " (dry run)" : ""}\n`);
  try {
    const { removed, uid } = await client.delete(key, deletion);
    const requested = cli.out.style("yellow", "deletion requested");
    await say(removed ? cli.out.style("red", "deleted") : isWaiting ? requested : `${requested}; finalizers hold it`);
    return removed ? undefined : uid;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await say(cli.out.style("dim", "was not there"));
    return undefined;
  }
}
