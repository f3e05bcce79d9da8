import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { writeFileDurably } from "../../shared/durable-file.js";
import { canListen, freePort } from "../../shared/free-port.js";
import { commandLineOf, identifyProcess } from "../../shared/process-identity.js";
import { choosePostgresUser, commandAs, findPostgresBinaries, type PostgresBinaries } from "./binaries.js";

/** How a cluster ends: `fast` ends sessions and writes a checkpoint; `immediate` is a crash, recovered at the next start. */
export type StopMode = "fast" | "immediate";

const SUPERUSER = "reconcile";
const SIGNALS = { fast: "SIGINT", immediate: "SIGQUIT" } as const;
/** A port that another program took between our look and PostgreSQL's bind. */
const START_ATTEMPTS = 3;
/** Recovery after a crash replays at most `max_wal_size`; longer than this it is stuck. */
const READY_TIMEOUT_MS = 120_000;
/** A checkpoint on a slow disk takes seconds; then the cluster is stopped the hard way, which is safe too. */
const STOP_TIMEOUT_MS = 4_000;
const POLL_MS = 20;

/**
 * One PostgreSQL cluster in a directory of its own: made, started, stopped and started again on the same port.
 *
 * `<directory>/cluster` is the data directory, `connection.json` (0600) its port and password, `server.log` its log.
 */
export class PostgresCluster {
  readonly #directory: string;
  readonly #settings: ReadonlyMap<string, string>;
  readonly #binaries: PostgresBinaries;
  #connection: { readonly port: number; readonly password: string };
  #child: ChildProcess | undefined;

  private constructor(
    directory: string,
    settings: ReadonlyMap<string, string>,
    binaries: PostgresBinaries,
    connection: { readonly port: number; readonly password: string },
  ) {
    this.#directory = directory;
    this.#settings = settings;
    this.#binaries = binaries;
    this.#connection = connection;
  }

  /** Opens the cluster in `directory`, making it on first use; it does not run yet. `settings` are passed at each start. */
  static async open(directory: string, settings: ReadonlyMap<string, string>): Promise<PostgresCluster> {
    mkdirSync(directory, { recursive: true });
    const absolute = realpathSync(directory); // one name however it was reached: `pid` compares it
    chmodSync(absolute, 0o711); // whatever the umask: the user postgres must be able to pass, not to look
    const binaries = await findPostgresBinaries();
    if (!existsSync(join(absolute, "cluster"))) await createCluster(absolute, binaries);
    return new PostgresCluster(absolute, settings, binaries, readConnection(absolute));
  }

  /** The address of a database, password included. */
  url(database: string): string {
    const { port, password } = this.#connection;
    return `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
  }

  /** The running postmaster, or undefined. A file left by a crash names a dead process, or one that is none of ours. */
  get pid(): number | undefined {
    const pid = Number(this.#pidFile()[0]);
    if (!Number.isInteger(pid) || pid <= 0 || identifyProcess(pid) === undefined) return undefined;
    return commandLineOf(pid)?.includes(this.#dataDirectory) ? pid : undefined;
  }

  /**
   * Starts the cluster and waits until it accepts connections. The process lives in its own session, so a Ctrl-C in the
   * terminal does not reach it before its users have drained; it also survives us.
   */
  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      await this.#choosePort();
      const logged = this.#launch();
      try {
        return await this.#ready();
      } catch (error) {
        const words = readFileSync(this.#logFile).subarray(logged).toString().trim().split("\n").slice(-5).join("\n");
        if (attempt < START_ATTEMPTS && words.includes("could not bind")) continue;
        throw new Error(`${error instanceof Error ? error.message : error}: ${words}`, { cause: error });
      }
    }
  }

  /** Resolves when the process started last has ended. */
  async exited(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((ended) => child.once("exit", () => ended()));
  }

  /** Stops the cluster, also one that an earlier process started, and waits until it is gone. Twice is safe. */
  async stop(mode: StopMode = "fast"): Promise<void> {
    const pid = this.pid;
    if (pid === undefined) return;
    this.#child?.ref(); // whoever waits in `exited` must hear of it before this process may end
    const identity = identifyProcess(pid);
    const isGone = () => identifyProcess(pid) !== identity;
    process.kill(pid, SIGNALS[mode]);
    if (!(await pollUntil(isGone, STOP_TIMEOUT_MS))) {
      process.kill(pid, SIGNALS.immediate);
      if (!(await pollUntil(isGone, STOP_TIMEOUT_MS))) throw new Error(`PostgreSQL (process ${pid}) does not stop`);
    }
  }

  get #dataDirectory(): string {
    return join(this.#directory, "cluster");
  }

  get #logFile(): string {
    return join(this.#directory, "server.log");
  }

  /** Lines of postmaster.pid: process, data directory, start time, port, socket directory, address, memory, state. */
  #pidFile(): readonly string[] {
    try {
      return readFileSync(join(this.#dataDirectory, "postmaster.pid"), "utf8").split("\n");
    } catch {
      return []; // not running
    }
  }

  /** Keeps the port of the last start unless somebody else has it now: clients of a restarted cluster find it again. */
  async #choosePort(): Promise<void> {
    const { port } = this.#connection;
    if (port !== 0 && (await canListen(port))) return;
    this.#connection = { ...this.#connection, port: await freePort() };
    writeConnection(this.#directory, this.#connection);
  }

  /** Returns the length of the log before this start. */
  #launch(): number {
    this.#forgetStranger();
    const logged = statSync(this.#logFile, { throwIfNoEntry: false })?.size ?? 0;
    const log = openSync(this.#logFile, "a", 0o600);
    const settings = [...this.#settings, ["port", String(this.#connection.port)]] as const;
    const { file, args, ...identity } = commandAs(
      choosePostgresUser(this.#dataDirectory),
      this.#binaries.postgres,
      this.#dataDirectory,
    );
    this.#child = spawn(
      file,
      [...args, "-D", this.#dataDirectory, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
      { ...identity, cwd: "/", env: environment(), detached: true, stdio: ["ignore", log, log] },
    );
    this.#child.on("error", () => {}); // `#ready` reports it; without a listener it would end the process
    this.#child.unref();
    closeSync(log);
    return logged;
  }

  /**
   * PostgreSQL refuses to start beside a pid file whose process runs, be it a stranger that got the number after a crash
   * (in a container that is the rule). The file of a dead process stays: it leads PostgreSQL to backends that survived.
   */
  #forgetStranger(): void {
    const command = commandLineOf(Number(this.#pidFile()[0]));
    // A program of that name, whatever its path: a folder of that name on the way to a stranger does not count.
    if (command === undefined || /(^|\/)postgres(:|\s|$)/.test(command)) return;
    rmSync(join(this.#dataDirectory, "postmaster.pid"), { force: true });
  }

  async #ready(): Promise<void> {
    const child = this.#child;
    const hasEnded = () => child?.pid === undefined || child.exitCode !== null || child.signalCode !== null;
    const isReady = () => this.#pidFile()[7]?.trim() === "ready";
    if (!(await pollUntil(() => hasEnded() || isReady(), READY_TIMEOUT_MS))) {
      throw new Error(`PostgreSQL in ${this.#directory} is not ready after ${READY_TIMEOUT_MS / 1000} s`);
    }
    if (hasEnded()) throw new Error(`PostgreSQL in ${this.#directory} did not start`);
  }
}

/** Makes the cluster beside its final place and renames it, so that a killed first start leaves nothing half made. */
async function createCluster(directory: string, binaries: PostgresBinaries): Promise<void> {
  const draft = join(directory, "cluster.new");
  const passwordFile = join(directory, "password.new");
  rmSync(draft, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  const user = choosePostgresUser(join(directory, "cluster"));
  const connection = { port: 0, password: randomBytes(24).toString("base64url") };
  writeConnection(directory, connection);
  mkdirSync(draft, { mode: 0o700 });
  writeFileDurably(passwordFile, connection.password);
  if (user !== undefined) for (const path of [draft, passwordFile]) chownSync(path, user.uid, user.gid);
  const { file, args, ...identity } = commandAs(user, binaries.initdb, draft);
  const options = [
    ["--pgdata", draft],
    ["--username", SUPERUSER, "--pwfile", passwordFile, "--auth", "scram-sha-256"],
    [
      "--encoding",
      "UTF8",
      "--locale-provider",
      "builtin",
      "--locale",
      "C.UTF-8",
      "--lc-collate",
      "C",
      "--lc-ctype",
      "C",
    ],
    ["--data-checksums"],
  ].flat();
  try {
    await promisify(execFile)(file, [...args, ...options], { ...identity, cwd: "/", env: environment() });
  } catch (error) {
    const words = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : String(error);
    throw new Error(`PostgreSQL could not make its files in ${directory}: ${words}`, { cause: error });
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(draft, join(directory, "cluster"));
}

/** Nothing of ours: PGOPTIONS, PGPORT and the like would change what is started. */
function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: "C", TZ: "UTC" };
}

function readConnection(directory: string): { readonly port: number; readonly password: string } {
  const file = join(directory, "connection.json");
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new Error(`${file} holds the password of the cluster beside it and cannot be read`, { cause });
  }
}

function writeConnection(directory: string, connection: { readonly port: number; readonly password: string }): void {
  writeFileDurably(join(directory, "connection.json"), JSON.stringify(connection));
}

async function pollUntil(isDone: () => boolean, timeoutMs: number): Promise<boolean> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(POLL_MS)) if (isDone()) return true;
  return isDone();
}
