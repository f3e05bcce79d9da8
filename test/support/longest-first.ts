import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Folders whose files run for minutes, what mostly waits before what keeps a core busy, and then those whose short files run
 * for long. Begun last, one of them would have the machine for itself at the end.
 */
const LONGEST = [
  ...["/test/conformance/", "/test/scenarios/", "/test/state-manager/watch/"],
  ...["/test/bench/", "/test/dev/", "/test/testing/", "/test/examples/go-tcp-check/"],
];

/** Starts the long files first; the others follow as Vitest orders them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONGEST.findIndex((folder) => moduleId.includes(folder));
  return rank === -1 ? LONGEST.length : rank;
}
