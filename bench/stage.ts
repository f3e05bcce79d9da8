import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { freePort } from "../src/shared/free-port.js";
import { copyDatabase, createDatabase, sharedPostgresVariable, startPostgres } from "../test/support/postgres.js";
import { type Program, startCommand, startProgram } from "../test/support/processes.js";
import { hasRedis, type RedisServer, startRedis } from "../test/support/redis.js";
import { until } from "../test/support/until.js";
import { isInstalled, missingText, type OptionalProgram } from "./load/installed.js";

/** A server under test, in a process of its own. */
export interface Served {
  readonly url: string;
  readonly program: Program;
}

/** As production would have them; `fsync` and `synchronous_commit` stay on. */
const POSTGRES_SETTINGS = { shared_buffers: "512MB", max_wal_size: "4GB" };
const TMPFS = 0x01021994;

/** Where servers are put up for a question. Databases are fresh ones of one PostgreSQL; Redis and it are shared by all. */
export class Stage {
  /** What this question goes without, and why. */
  skipped: readonly string[] = [];
  readonly #redis: RedisServer;
  readonly #stopPostgres: () => Promise<void>;
  readonly #strike: (() => Promise<unknown>)[] = [];
  /** Addresses of what is copied, by name. */
  readonly #originals = new Map<string, string>();
  readonly #isQuick: boolean;
  readonly #before: string | undefined;

  private constructor(
    redis: RedisServer,
    stopPostgres: () => Promise<void>,
    { isQuick, before }: { readonly isQuick: boolean; readonly before: string | undefined },
  ) {
    this.#isQuick = isQuick;
    this.#before = before;
    this.#redis = redis;
    this.#stopPostgres = stopPostgres;
  }

  static async open(isQuick: boolean, before: string | undefined): Promise<Stage> {
    if (statfsSync(tmpdir()).type === TMPFS)
      throw new Error(`${tmpdir()} is in memory, where a commit costs nothing: set TMPDIR to a directory on a disk`);
    if (!hasRedis) throw new Error("no redis-server on PATH (Debian, Ubuntu: apt-get install redis-server)");
    const postgres = await startPostgres(POSTGRES_SETTINGS);
    process.env[sharedPostgresVariable] = postgres.url;
    return new Stage(await startRedis(), () => postgres.remove(), { isQuick, before });
  }

  get redisUrl(): string {
    return this.#redis.url;
  }

  /** The address of a fresh, empty database. */
  async database(): Promise<string> {
    const { url, drop } = await createDatabase("nothing");
    this.#strike.push(drop);
    return url;
  }

  /** The address of a copy of what `fill` puts into a database of that name; it must leave no connection open. */
  async copyOf(name: string, fill: (databaseUrl: string) => Promise<void>): Promise<string> {
    let original = this.#originals.get(name);
    if (original === undefined) {
      original = (await createDatabase("nothing")).url;
      await fill(original);
      this.#originals.set(name, original);
    }
    const { url, drop } = await copyDatabase(original);
    this.#strike.push(drop);
    return url;
  }

  /** How many of something large there are to be: a tenth in a quick run. */
  size(full: number): number {
    return this.#isQuick ? full / 10 : full;
  }

  /** The state-manager, as `npm run serve` starts it. */
  stateManager(env: NodeJS.ProcessEnv = {}): Promise<Served> {
    return this.#serve("dist/src/state-manager/main.js", env);
  }

  /** This state-manager, and with `--before` the older one, each on a database of its own. */
  async stateManagers(): Promise<readonly (Served & { readonly who: string })[]> {
    const ours = { who: "state-manager", ...(await this.stateManager()) };
    if (this.#before === undefined) return [ours];
    return [ours, { who: "before", ...(await this.#serve(`${this.#before}/dist/src/state-manager/main.js`, {})) }];
  }

  /** The server in `bench/baseline`. */
  baseline(): Promise<Served> {
    return this.#serve("dist/bench/baseline/main.js", {});
  }

  /** A server of this bench without a database: a ceiling. */
  ceiling(file: string): Promise<Served> {
    return this.#serve(`dist/bench/ceilings/${file}.js`, { DATABASE_URL: "none" });
  }

  /** A program that is not ours; the last argument must take a directory of its own. Resolves when `isReady` says so. */
  async command(command: readonly string[], isReady: () => Promise<boolean>): Promise<void> {
    const program = startCommand(command, {});
    this.#strike.push(() => program.kill());
    await until(() => program.hasEnded || isReady(), { timeoutMs: 30_000, what: `${command[0]} is ready` });
    if (program.hasEnded) throw new Error(`${command[0]} ended at its start: ${program.noise.join("\n")}`);
  }

  /** Called when the question is answered, the last given first. */
  onClear(act: () => Promise<unknown>): void {
    this.#strike.push(act);
  }

  /** Whether it is installed; when not, the results say so. */
  has(program: OptionalProgram): boolean {
    if (isInstalled(program)) return true;
    this.skipped = [...new Set([...this.skipped, missingText(program)])];
    return false;
  }

  /** Takes down what was put up for a question. */
  async clear(): Promise<void> {
    this.skipped = [];
    // Copies of a database have one store id, so they would meet each other there.
    await this.#redis.client().flushall();
    for (const strike of this.#strike.splice(0).reverse()) await strike();
  }

  async close(): Promise<void> {
    await this.clear();
    await this.#redis.stop();
    await this.#stopPostgres();
  }

  async #serve(file: string, env: NodeJS.ProcessEnv): Promise<Served> {
    const port = String(await freePort());
    const DATABASE_URL = env.DATABASE_URL ?? (await this.database());
    const program = startProgram(file, { env: { SERVER_PORT: port, REDIS_URL: this.redisUrl, ...env, DATABASE_URL } });
    this.#strike.push(() => program.kill());
    await until(() => program.hasEnded || program.lines.some(({ msg }) => msg === "serving"), {
      timeoutMs: 30_000,
      what: `${file} serves`,
    });
    if (program.hasEnded) throw new Error(`${file} ended at its start: ${program.noise.join("\n")}`);
    return { url: `http://127.0.0.1:${port}`, program };
  }
}
