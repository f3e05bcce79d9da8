import { ApiError } from "../client/index.js";
import { EXIT, Failure } from "./exit-codes.js";
import { describeFailure } from "./failure-text.js";
import type { Manifest } from "./manifest/read-manifest.js";
import { nameOf } from "./name-of.js";
import { printable } from "./printable.js";
import { Progress } from "./printers/progress.js";
import type { Cli } from "./terminal.js";

/** What became of manifests. */
export interface Report {
  readonly succeeded: readonly Manifest[];
  /** The exit code of each that failed. */
  readonly failures: readonly number[];
}

/**
 * Prints the outcome of each manifest when those before it have theirs, in the order of the files; a failure with its place in the
 * file. One that fails keeps no other from being told.
 */
export async function reportOutcomes<T>(
  { out, err }: Cli,
  manifests: readonly Manifest[],
  outcomes: readonly Promise<T>[],
  text: (outcome: T, manifest: Manifest) => string,
): Promise<Report> {
  for (const outcome of outcomes) outcome.catch(() => {}); // its turn comes below
  const progress = new Progress(err, manifests.length);
  const succeeded: Manifest[] = [];
  const failures: number[] = [];
  for (const [i, manifest] of manifests.entries()) {
    const outcome = await Promise.resolve(outcomes[i] as Promise<T>).then(
      // one for each manifest
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    progress.clear();
    if ("value" in outcome) {
      succeeded.push(manifest);
      await out.write(text(outcome.value, manifest));
    } else {
      const { error } = outcome;
      const { text, exitCode } = describeFailure(error);
      failures.push(exitCode);
      const place = manifest.source.atField(error instanceof ApiError ? error.field : "");
      // Failures of our own say what they are about.
      const name = error instanceof ApiError ? `${err.style("red", nameOf(manifest.draft.key))}: ` : "";
      await err.write(`${place}: ${name}${printable(text)}\n`);
    }
    progress.show(i + 1);
  }
  progress.clear();
  return { succeeded, failures };
}

/** Fails when anything did; with the exit code that all failures share, if they do. */
export function throwIfAnyFailed(failures: readonly number[], total: number): void {
  const [first = EXIT.failed] = failures;
  if (failures.length === 0) return;
  throw new Failure(
    `${failures.length} of ${total} failed`,
    failures.every((code) => code === first) ? first : EXIT.failed,
  );
}
