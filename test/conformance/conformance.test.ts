/** Every library's conformance worker, judged by the program as anybody would run it (docs/conformance.md). */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { goWorker, pythonWorker, typescriptWorker } from "./library-workers.js";

const program = "dist/conformance/main.js";
/** Of each language: a scenario mostly waits, and so the languages are judged at the same time. */
const JOBS = "3";

describe("the conformance program", { timeout: 240_000 }, () => {
  for (const { language, missing, command } of [typescriptWorker, goWorker, pythonWorker]) {
    const why = missing === undefined ? "" : ` (skipped: ${missing})`;
    const options = { concurrent: true, skip: missing !== undefined };
    it(`finds every promise kept by the ${language} library${why}`, options, async () => {
      const { code, output } = await judge(["--trace", "--jobs", JOBS, "--", ...(await command())]);
      expect(code, output).toBe(0);
    });
  }

  it("ends with 1 when a promise is broken, and says which and why", async () => {
    const { code, output } = await judge([
      ...["--only", "reports-errors,reports-success"],
      ...["--", process.execPath, "dist/test/conformance/bad-worker.js", "swallow-errors"],
    ]);
    expect(output).toMatch(/^FAILED reports-errors: .*: reported SUCCESS .*, not ERROR$/m);
    expect(output).toMatch(/^ok {5}reports-success: /m);
    expect(output).toMatch(/^1 of 2 promises are kept$/m);
    expect(code).toBe(1);
  });

  it("names what is wrong with its command line and ends with 2", () => {
    for (const [args, words] of [
      [["--only", "nothing", "--", "true"], "there is no promise called nothing"],
      [[], "the worker's command is missing"],
      [["--jobs", "0", "--", "true"], '--jobs must be a number of 1 or more, not "0"'],
    ] as const) {
      const { status, stderr }: SpawnSyncReturns<string> = spawnSync(process.execPath, [program, ...args], {
        encoding: "utf8",
      });
      expect(stderr).toContain(words);
      expect(status).toBe(2);
    }
  });
});

async function judge(args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  const [code] = await once(child, "close");
  return { code, output };
}
