import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { runDirectory } from "../../test/support/run-directory.js";

/** The path of a file for a load generator, in a directory of its own that goes with the run. */
export function loadFile(name: string): string {
  return join(mkdtempSync(join(runDirectory(), "load-")), name);
}
