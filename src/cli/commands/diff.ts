import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { dryRun } from "../dry-run.js";
import { EXIT, Failure } from "../exit-codes.js";
import { describeFailure } from "../failure-text.js";
import { forEachManifest } from "../for-each-manifest.js";
import { loadManifests } from "../load-manifests.js";
import { manifestDiff } from "../manifest-diff.js";
import { manifestCommand } from "../options.js";
import { reportOutcomes } from "../report-outcomes.js";
import type { Cli } from "../terminal.js";
import { withClient } from "../with-client.js";

/** `reconcile diff`: what apply would change, decided by the server. Ends as diff(1) does: 0 same, 1 different, 2 trouble. */
export function diffCommand(cli: Cli, exit: (code: number) => void): CommandUnknownOpts {
  return manifestCommand("diff").action(async (options) => {
    let isDifferent = false;
    try {
      const manifests = await loadManifests(cli, options);
      await withClient(cli, options, async (client) => {
        const answers = forEachManifest(manifests, (manifest) => dryRun(client, manifest, manifests));
        await reportOutcomes(cli, answers, (answer, manifest) => {
          isDifferent ||= answer.isChanged;
          return manifestDiff(cli.out, manifest, answer);
        });
      });
    } catch (error) {
      const { text, problems } = describeFailure(error);
      throw new Failure(text, EXIT.usage, problems);
    }
    if (isDifferent) exit(EXIT.failed);
  });
}
