import { ApiError } from "../client/index.js";
import type { Manifest } from "../manifest/read-manifest.js";
import { EXIT, Failure } from "./exit-codes.js";
import { describeFailure } from "./failure-text.js";
import { nameOf } from "./name-of.js";
import { printable } from "./printable.js";
import { Progress } from "./printers/progress.js";
import type { Cli } from "./terminal.js";

/** What becomes of a manifest. */
export interface Outcome<T> {
  readonly manifest: Manifest;
  readonly promise: Promise<T>;
}

/**
 * Prints each outcome when those before it are there, in the order of the files; a failure with its place in the file. One that
 * fails keeps no other from being told; after the last, the whole fails, with the exit code that all failures share if they do.
 */
export async function reportOutcomes<T>(
  { out, err }: Cli,
  outcomes: readonly Outcome<T>[],
  text: (value: T, manifest: Manifest) => string,
): Promise<void> {
  for (const { promise } of outcomes) promise.catch(() => {}); // its turn comes below
  const progress = new Progress(err, outcomes.length);
  const exitCodes: number[] = [];
  for (const { manifest, promise } of outcomes) {
    try {
      const line = text(await promise, manifest);
      progress.clear();
      await out.write(line);
    } catch (error) {
      progress.clear();
      const { text, exitCode } = describeFailure(error);
      exitCodes.push(exitCode);
      const place = manifest.source.atField(error instanceof ApiError ? error.field : "");
      // Failures of our own say what they are about.
      const name = error instanceof ApiError ? `${err.style("red", nameOf(manifest.draft.key))}: ` : "";
      await err.write(`${printable(place)}: ${name}${printable(text)}\n`);
    }
    progress.step();
  }
  progress.clear();
  const [first] = exitCodes;
  if (first === undefined) return;
  const isShared = exitCodes.every((code) => code === first);
  throw new Failure(`${exitCodes.length} of ${outcomes.length} failed`, isShared ? first : EXIT.failed);
}
