import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { ownDataDirectory } from "../../examples/data-directory.js";
import { startProgram } from "../support/processes.js";
import { runDirectory } from "../support/run-directory.js";

it("names a wrong setting in one line", async () => {
  const program = startProgram("dist/examples/main.js", { env: { EXAMPLES_PROCESS_ALLOW: "x.js" } });
  expect(await program.exited).toBe(1);
  expect(program.noise).toEqual([expect.stringMatching(/^EXAMPLES_PROCESS_ALLOW .* \(got "x.js"\)$/)]);
});

it("names in one line the process that runs the examples of the directory already", async () => {
  const dataDir = mkdtempSync(join(runDirectory(), "examples-"));
  const owned = await ownDataDirectory(dataDir);
  const program = startProgram("dist/examples/main.js", { env: { RECONCILE_DATA_DIR: dataDir } });
  expect(await program.exited).toBe(1);
  expect(program.noise).toEqual([expect.stringContaining(`are run by the process ${process.pid}: stop it`)]);
  owned.release();
});
