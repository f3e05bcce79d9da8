/** The command line in this process: what it prints is kept, and no terminal is there. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { vi } from "vitest";
import { runCli } from "../../src/cli/run-cli.js";
import { outputTo } from "../../src/cli/terminal.js";
import { runDirectory } from "../support/run-directory.js";

/** How a command ended, and what it said. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A command that runs. */
export interface Running {
  /** What it has printed so far. */
  readonly out: () => string;
  readonly err: () => string;
  /** Ctrl-C. */
  interrupt(): void;
  readonly ended: Promise<Ended>;
}

/** What a command finds in the world. */
export interface World {
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
}

/** Starts a command line, without the name of the program. */
export function start(args: readonly string[], { env = {}, stdin = "" }: World = {}): Running {
  const [out, err] = [new Kept(), new Kept()];
  const interrupt = new AbortController();
  const cli = {
    env: { RECONCILE_CONFIG: "/nonexistent/config.json", PATH: process.env.PATH, ...env },
    stdin: Readable.from([stdin]),
    out: outputTo(out),
    err: outputTo(err),
    signal: interrupt.signal,
  };
  const ended = runCli(args, cli).then((code) => ({ code, out: out.text, err: err.text }));
  return { out: () => out.text, err: () => err.text, interrupt: () => interrupt.abort(), ended };
}

/** Runs a command line to its end. */
export function reconcile(args: readonly string[], world?: World): Promise<Ended> {
  return start(args, world).ended;
}

/** What a shell is offered for the last of these words. */
export async function completions(words: readonly string[], world?: World): Promise<readonly string[]> {
  const lines: string[] = [];
  // The package prints by itself.
  const log = vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
  await reconcile(["complete", "--", ...words], world).finally(() => log.mockRestore());
  return lines.slice(0, -1).map((line) => line.split("\t")[0] ?? ""); // the last one says how to complete
}

/** Writes a file that is removed with the test run; answers with its path. */
export function file(text: string, name = "manifest.yaml"): string {
  const path = join(mkdtempSync(join(runDirectory(), "cli-")), name);
  writeFileSync(path, text);
  return path;
}

class Kept extends Writable {
  text = "";

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
