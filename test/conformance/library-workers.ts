/** The conformance workers of the three libraries: how each is started, and what is missing when it cannot be. */
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { runDirectory } from "../support/run-directory.js";

/** A worker in one language. */
export interface LibraryWorker {
  readonly language: string;
  /** The tool that is missing, in words; undefined when it can run. */
  readonly missing: string | undefined;
  /** The command that starts it. Builds it when it has to be built, once. */
  command(): Promise<readonly string[]>;
}

export const typescriptWorker: LibraryWorker = {
  language: "TypeScript",
  missing: undefined,
  command: async () => [process.execPath, "dist/test/conformance/typescript-worker.js"],
};

export const goWorker: LibraryWorker = {
  language: "Go",
  missing: spawnSync("go", ["version"]).status === 0 ? undefined : "there is no `go` on PATH",
  command: async () => {
    goProgram ??= buildGo();
    return [await goProgram];
  },
};

let goProgram: Promise<string> | undefined;

async function buildGo(): Promise<string> {
  const program = join(mkdtempSync(join(runDirectory(), "go-")), "conformance-worker");
  await promisify(execFile)("go", ["build", "-o", program, "./cmd/conformance-worker"], { cwd: "clients/go" });
  return program;
}

/** The interpreter that has the package: a virtual environment's, or the machine's. */
const python = process.env.CONFORMANCE_PYTHON || "python3";

export const pythonWorker: LibraryWorker = {
  language: "Python",
  missing: missingOfPython(),
  command: async () => [python, "clients/python/conformance_worker.py"],
};

function missingOfPython(): string | undefined {
  if (spawnSync(python, ["--version"]).status !== 0) return `there is no \`${python}\` (set CONFORMANCE_PYTHON)`;
  const hasPackage = spawnSync(python, ["-c", "import reconcile_toolkit"]).status === 0;
  return hasPackage ? undefined : `\`${python}\` has no reconcile_toolkit (pip install ./clients/python)`;
}
