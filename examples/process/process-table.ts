import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeFileDurably } from "../../src/shared/durable-file.js";
import { identifyProcess } from "../../src/shared/process-identity.js";

/** What to run. Two commands are the same when their JSON is. */
export interface Command {
  readonly script: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A process we started, in this life or in one that ended by kill -9. */
interface Running {
  readonly pid: number;
  /** Tells it from a stranger that got its number. */
  readonly identity: string;
  /** JSON of its {@link Command}. */
  readonly command: string;
}

const TERM_GRACE_MS = 2_000;
const POLL_MS = 25;
/** A process of an earlier life is not our child: nobody tells us of its end. */
const ADOPTED_LOOK_MS = 500;

/**
 * The processes of one host, each under an id, remembered on disk so that the next life of this program finds them.
 *
 * A process number is signalled only while it is still the process we started.
 */
export class ProcessTable {
  readonly #directory: string;
  readonly #onExit: (id: string) => void;
  /** Processes whose end will be noticed: by the exit event of a child (undefined), or by looking. */
  readonly #watches = new Map<string, NodeJS.Timeout | undefined>();
  readonly #stopping = new Set<string>();

  /** `onExit` is told the id of every process that ends without being asked to. */
  constructor(directory: string, onExit: (id: string) => void) {
    this.#directory = directory;
    this.#onExit = onExit;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** The ids on disk. */
  ids(): readonly string[] {
    return readdirSync(this.#directory)
      .filter((name) => name.endsWith(".json"))
      .map((name) => name.slice(0, -".json".length));
  }

  /** The process of `id`, if it runs. One of an earlier life is watched from here on. */
  find(id: string): { readonly pid: number; readonly command: string } | undefined {
    const running = this.#read(id);
    if (running === undefined || !isRunning(running)) return undefined;
    if (!this.#watches.has(id)) this.#watchAdopted(id, running);
    return running;
  }

  /** Starts a process in a group of its own, so that a Ctrl-C in the terminal is ours to handle. */
  start(id: string, command: Command): void {
    const log = openSync(join(this.#directory, `${id}.log`), "w", 0o600); // of the last run: bounded by what one run says
    const child = spawn(process.execPath, [command.script, ...command.args], {
      cwd: this.#directory,
      env: command.env,
      detached: true,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.once("error", () => this.#ended(id)); // it was not started
    if (child.pid === undefined) return;
    const { pid } = child;
    child.once("exit", () => {
      if (this.#read(id)?.pid === pid) this.#ended(id); // and not replaced meanwhile
    });
    this.#watches.set(id, undefined);
    const identity = identifyProcess(pid);
    const running: Running = { pid, identity: identity ?? "ended", command: JSON.stringify(command) };
    writeFileDurably(this.#file(id), JSON.stringify(running));
  }

  /** Ends the process and its group: SIGTERM, then SIGKILL. Resolves when it is gone and forgotten. Twice is safe. */
  async stop(id: string): Promise<void> {
    const running = this.#read(id);
    if (running === undefined) return;
    this.#stopping.add(id);
    try {
      await end(running);
    } finally {
      this.#stopping.delete(id);
    }
    this.#unwatch(id);
    rmSync(this.#file(id), { force: true });
    rmSync(join(this.#directory, `${id}.log`), { force: true });
  }

  #watchAdopted(id: string, running: Running): void {
    const look = () => {
      if (!isRunning(running)) this.#ended(id);
    };
    this.#watches.set(id, setInterval(look, ADOPTED_LOOK_MS).unref());
  }

  #ended(id: string): void {
    this.#unwatch(id);
    if (!this.#stopping.has(id)) this.#onExit(id);
  }

  #unwatch(id: string): void {
    clearInterval(this.#watches.get(id));
    this.#watches.delete(id);
  }

  #file(id: string): string {
    return join(this.#directory, `${id}.json`);
  }

  #read(id: string): Running | undefined {
    try {
      return JSON.parse(readFileSync(this.#file(id), "utf8"));
    } catch {
      return undefined; // never started, or stopped
    }
  }
}

function isRunning({ pid, identity }: Running): boolean {
  return identifyProcess(pid) === identity;
}

async function end(running: Running): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!isRunning(running)) return;
    process.kill(-running.pid, signal);
    for (const end = Date.now() + TERM_GRACE_MS; isRunning(running) && Date.now() < end; ) await sleep(POLL_MS);
  }
  if (isRunning(running)) throw new Error(`process ${running.pid} does not end`);
}
