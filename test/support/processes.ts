/** Real processes for scenarios: they can be killed, paused and told to stop, which a server inside the test cannot. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../../src/shared/free-port.js";
import { runDirectory } from "./run-directory.js";
import { sumSamples } from "./samples.js";
import { until } from "./until.js";

/** A line of JSON that a program wrote. */
type LogLine = Readonly<Record<string, unknown>>;

/** A running program; it ends with the test process at the latest. */
export interface Program {
  readonly pid: number;
  /** What it wrote to stdout: one JSON object per line. */
  readonly lines: readonly LogLine[];
  /** What it wrote to stderr, and to stdout that is no JSON. */
  readonly noise: readonly string[];
  readonly hasEnded: boolean;
  signal(name: NodeJS.Signals): void;
  /** The exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Ends it with SIGKILL and waits, also when it is paused. Safe when it has ended. */
  kill(): Promise<void>;
}

/** Starts `node` on a file. `nodeOptions` stand before it, `args` after it. */
export function startProgram(
  file: string,
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly args?: readonly string[];
    readonly nodeOptions?: readonly string[];
  },
): Program {
  const directory = programDirectory();
  const nodeOptions = [`--diagnostic-dir=${directory}`, "--enable-source-maps", ...(options.nodeOptions ?? [])];
  return run([process.execPath, ...nodeOptions, file, ...(options.args ?? [])], directory, options.env);
}

/** Starts any program that does not mind one more argument: the run's sweep knows it by that. */
export function startCommand(command: readonly string[], env: NodeJS.ProcessEnv): Program {
  const directory = programDirectory();
  return run([...command, directory], directory, env);
}

/** The directory in its command line is how run-directory.ts knows a program when this process could not end it. */
function programDirectory(): string {
  return mkdtempSync(join(runDirectory(), "program-"));
}

function run([file = "", ...args]: readonly string[], directory: string, env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(file, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (child.pid === undefined) throw new Error(`could not start ${file}`);
  writeFileSync(join(directory, "program.pid"), String(child.pid));
  running.add(child);
  const exited = once(child, "exit").then(([code, signal]): number | NodeJS.Signals => {
    running.delete(child);
    return code ?? signal;
  });
  const lines: LogLine[] = [];
  const noise: string[] = [];
  createInterface(child.stdout).on("line", (line) => {
    try {
      lines.push(JSON.parse(line));
    } catch {
      noise.push(line);
    }
  });
  createInterface(child.stderr).on("line", (line) => noise.push(line));
  return {
    pid: child.pid,
    lines,
    noise,
    get hasEnded() {
      return child.exitCode !== null || child.signalCode !== null;
    },
    exited,
    signal: (name) => void child.kill(name),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A state-manager in a process of its own. */
export interface ServerProcess {
  /** Stays the same when it is started again. */
  readonly url: string;
  /** The running, or last, process. */
  readonly program: Program;
  /** Starts it again on the same port; resolves when it serves. */
  start(): Promise<void>;
  /** The sum of a metric's samples with these labels. */
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
}

/** How it is started. */
export interface ServerProcessOptions {
  readonly databaseUrl: string;
  readonly redisUrl?: string | undefined;
  /** Further variables, such as `LOG_COUNT`. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly nodeOptions?: readonly string[] | undefined;
}

/** Starts `dist/src/state-manager/main.js`, which global setup has built, on a free port; resolves when it serves. */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const port = await freePort();
  const env = {
    SERVER_PORT: String(port),
    DATABASE_URL: options.databaseUrl,
    ...(options.redisUrl !== undefined && { REDIS_URL: options.redisUrl }),
    ...options.env,
  };
  const url = `http://127.0.0.1:${port}`;
  const { nodeOptions = [] } = options;
  let program: Program | undefined;
  const server: ServerProcess = {
    url,
    get program() {
      if (program === undefined) throw new Error("the server was not started");
      return program;
    },
    async start() {
      const started = startProgram("dist/src/state-manager/main.js", { env, nodeOptions });
      program = started;
      await until(() => started.hasEnded || started.lines.some(({ msg }) => msg === "serving"), {
        timeoutMs: 30_000,
        what: "the server serves",
      });
      if (started.hasEnded) throw new Error(`the server ended at its start: ${said(started)}`);
    },
    metric: async (name, labels = {}) => sumSamples(await (await fetch(`${url}/metrics`)).text(), name, labels),
  };
  await server.start();
  return server;
}

function said({ lines, noise }: Program): string {
  return [...lines.map((line) => JSON.stringify(line)), ...noise].join("\n");
}
