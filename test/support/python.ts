/** Python programs for tests. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

/** A running Python program; it ends with the test process at the latest. */
export interface PythonProgram {
  /** What it wrote so far. */
  readonly output: () => string;
  /** Ends it with a signal; resolves with its exit code, or with the signal that ended it. */
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** Whether `python` runs and has these modules: what a test skips by. */
export function hasPython(python: string, ...modules: readonly string[]): boolean {
  const program = modules.map((module) => `import ${module}`).join("\n");
  return spawnSync(python, ["-c", program], { stdio: "ignore" }).status === 0;
}

/** Starts a file. */
export function startPython(python: string, file: string, env: Readonly<Record<string, string>>): PythonProgram {
  const child = spawn(python, ["-u", file], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const exited = once(child, "exit").then(([code, signal]): number | NodeJS.Signals => {
    running.delete(child);
    return code ?? signal;
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (piece: Buffer) => {
      output += piece;
    });
  return {
    output: () => output,
    stop(signal) {
      child.kill(signal);
      return exited;
    },
  };
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
