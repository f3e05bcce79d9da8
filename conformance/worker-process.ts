import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** Enough of a worker's words to see why it ended. */
const WORDS_KEPT = 40;

/** The worker under test, in a process of its own. */
export class WorkerProcess {
  readonly words: string[] = [];
  /** The exit code, or the signal that ended it. Rejects when the command cannot be started. */
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly #child: ChildProcess;
  #isToldToEnd = false;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    const [program = "", ...args] = command;
    // A group of its own, so that what the command starts ends with it.
    this.#child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.exited = once(this.#child, "exit").then(([code, signal]): number | NodeJS.Signals => code ?? signal);
    this.exited.catch(() => {}); // Whoever waits for it sees it.
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.words.push(...text.split("\n").filter((line) => line !== ""));
        this.words.splice(0, this.words.length - WORDS_KEPT);
      });
    }
  }

  /** Rejects when it ends although nobody told it to. */
  async endedByItself(): Promise<never> {
    const how = await this.exited;
    if (this.#isToldToEnd) return new Promise<never>(() => {}); // As it should.
    throw new Error(`the worker ended by itself (${how})${this.words.length > 0 ? `: ${this.words.at(-1)}` : ""}`);
  }

  /** SIGTERM to the command itself. */
  tellToEnd(): void {
    this.#isToldToEnd = true;
    this.#child.kill("SIGTERM");
  }

  /** Ends it and what it started. Safe when it has ended. */
  async kill(): Promise<void> {
    this.#isToldToEnd = true;
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      return; // Nothing of the group is left.
    }
    await this.exited;
  }
}
