import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import pLimit from "p-limit";
import type { Applied } from "../../client/index.js";
import { dryRun } from "../dry-run.js";
import { usageError } from "../exit-codes.js";
import { forEachManifest } from "../for-each-manifest.js";
import { loadManifests } from "../load-manifests.js";
import { manifestDiff } from "../manifest-diff.js";
import { nameOf } from "../name-of.js";
import { manifestCommand, selectorOption, timeoutOption } from "../options.js";
import { prune } from "../prune.js";
import { reportOutcomes } from "../report-outcomes.js";
import type { Cli, Style } from "../terminal.js";
import { READY, waitFor } from "../wait-for.js";
import { withClient } from "../with-client.js";

/** `reconcile apply`: makes what files declare the desired state. */
export function applyCommand(cli: Cli): CommandUnknownOpts {
  return manifestCommand("apply")
    .option("--dry-run", "let the server decide, write nothing, and show what would change")
    .option("--prune", "also delete what -l selects in the kinds and namespaces of the files and is not in them")
    .addOption(selectorOption("what --prune may delete"))
    .option("--wait", "until all of it is ready")
    .addOption(timeoutOption("of --wait"))
    .action(async (options) => {
      const { selector, dryRun: isDry = false, prune: isPruning = false, timeout } = options;
      if (isPruning !== (selector !== undefined)) throw usageError("--prune and -l SELECTOR need each other");
      if (isDry && options.wait) throw usageError("--dry-run and --wait do not go together: leave one out");
      const manifests = await loadManifests(cli, options);
      await withClient(cli, options, async (client) => {
        const deadline = performance.now() + timeout;
        const applied = forEachManifest(manifests, (manifest) =>
          isDry ? dryRun(client, manifest, manifests) : client.apply(manifest.draft),
        );
        await reportOutcomes(cli, applied, (answer, manifest) => {
          const diff = isDry ? manifestDiff(cli.out, manifest, answer) : "";
          return `${diff}${nameOf(manifest.draft.key)} ${resultWord(cli, answer)}${isDry ? " (dry run)" : ""}\n`;
        });
        if (selector !== undefined) await prune(cli, client, { manifests, selector, dryRun: isDry });
        if (!options.wait) return;

        const limit = pLimit(WAITS_AT_ONCE);
        const ready = manifests.map((manifest) => ({
          manifest,
          promise: limit(() => waitFor(client, manifest.draft.key, READY, { deadline, signal: cli.signal })),
        }));
        await reportOutcomes(cli, ready, (_, { draft }) => `${nameOf(draft.key)} is ready\n`);
      });
    });
}

/** Each is a stream of the connection. */
const WAITS_AT_ONCE = 64;

function resultWord({ out }: Cli, { result }: Applied<unknown, unknown>): string {
  const [word, style] = WORDS[result];
  return out.style(style, word);
}

const WORDS: Readonly<Record<Applied<unknown, unknown>["result"], readonly [string, Style]>> = {
  CREATED: ["created", "green"],
  UPDATED: ["configured", "yellow"],
  UNCHANGED: ["unchanged", "dim"],
  UNSPECIFIED: ["applied", "green"], // of a newer server
};
