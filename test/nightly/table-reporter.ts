import type { Reporter, TestCase, TestModule } from "vitest/node";

declare module "vitest" {
  interface TaskMeta {
    /** Repeats the run: `RECONCILE_SEED=…`. */
    seed?: number;
    /** Calls that were made and judged. */
    operations?: number;
  }
}

const VERDICTS = { passed: "ok", failed: "VIOLATED", skipped: "skipped", pending: "not run" } as const;
const HEADINGS = ["scenario", "seed", "duration", "operations", "verdict"] as const;

/** Prints what ran, with the seed that repeats it. The exit code is Vitest's: not 0 when anything failed. */
export default class TableReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const rows = [HEADINGS, ...tests.map(rowOf)];
    const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
    const lines = rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
    process.stdout.write(`\n${lines.join("\n")}\n`);
  }
}

function rowOf(test: TestCase): readonly string[] {
  const { seed, operations } = test.meta();
  const { state } = test.result();
  const seconds = ((test.diagnostic()?.duration ?? 0) / 1000).toFixed(0);
  const verdict = state === "failed" ? VERDICTS.failed : VERDICTS[state];
  return [test.fullName, `${seed ?? ""}`, `${seconds} s`, `${operations ?? ""}`, verdict];
}
