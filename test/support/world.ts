/** What a scenario takes place on: a database, Redis, replicas. Everything ends with the test. */
import type { Redis } from "ioredis";
import { onTestFinished } from "vitest";
import { StreamKeys } from "../../src/state-manager/log/stream-keys.js";
import { History, querySql } from "./history.js";
import { Load, type LoadOptions } from "./load.js";
import { Observer, type ObserverOptions } from "./observer.js";
import { createDatabase, type PostgresCluster, startPostgres } from "./postgres.js";
import { type ServerProcess, startServerProcess } from "./processes.js";
import { type RedisServer, startRedis } from "./redis.js";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.js";

/** What there is to be. */
export interface WorldOptions {
  /** Server processes; 2 by default. */
  readonly replicas?: number;
  /** A Redis of the scenario's own; `down`: not started when the replicas are. None by default. */
  readonly redis?: boolean | "down";
  /** A PostgreSQL of the scenario's own, to be stopped; a database in the run's shared one by default. */
  readonly ownPostgres?: boolean | Readonly<Record<string, string>>;
  /** One that was started before; removed with the world. */
  readonly postgres?: PostgresCluster;
  /** Whether the replicas reach PostgreSQL through a proxy; the scenario itself does not. */
  readonly proxied?: boolean;
  readonly logCount?: number;
  /** For the replicas' `node`. */
  readonly nodeOptions?: readonly string[];
}

/** A running system, and short ways to use it. */
export class World {
  databaseUrl: string;
  readonly replicas: ServerProcess[] = [];
  readonly #options: WorldOptions;
  readonly #redis: RedisServer | undefined;
  readonly #postgres: PostgresCluster | undefined;
  #proxy: TcpProxy | undefined;
  #client: Redis | undefined;
  #started = 0;

  private constructor(options: WorldOptions, databaseUrl: string, postgres?: PostgresCluster, redis?: RedisServer) {
    this.#options = options;
    this.databaseUrl = databaseUrl;
    this.#postgres = postgres;
    this.#redis = redis;
  }

  /** Starts everything; ended in reverse when the test finishes. */
  static async open(options: WorldOptions = {}): Promise<World> {
    const redis = options.redis ? await startRedis() : undefined;
    if (redis !== undefined) onTestFinished(() => redis.stop());
    if (options.redis === "down") await redis?.kill();
    const { url, postgres } = await World.#openDatabase(options);
    const world = new World(options, url, postgres, redis);
    if (options.proxied) await world.#openProxy();
    const starting = Array.from({ length: options.replicas ?? 2 }, () => world.#addReplica());
    world.replicas.push(...(await Promise.all(starting)));
    return world;
  }

  static async #openDatabase({ ownPostgres: own = false, postgres: given }: WorldOptions) {
    if (given === undefined && own === false) {
      const { url, drop } = await createDatabase();
      onTestFinished(drop);
      return { url, postgres: undefined };
    }
    const postgres = given ?? (await startPostgres(typeof own === "boolean" ? {} : own));
    onTestFinished(() => postgres.remove());
    return { url: postgres.url, postgres };
  }

  async #openProxy(): Promise<void> {
    const { hostname: host, port } = new URL(this.databaseUrl);
    const proxy = await startTcpProxy({ host, port: Number(port) });
    onTestFinished(() => proxy.close());
    this.#proxy = proxy;
  }

  get urls(): readonly string[] {
    return this.replicas.map(({ url }) => url);
  }

  get redis(): RedisServer {
    if (this.#redis === undefined) throw new Error("this world has no Redis");
    return this.#redis;
  }

  get postgres(): PostgresCluster {
    if (this.#postgres === undefined) throw new Error("this world has no PostgreSQL of its own");
    return this.#postgres;
  }

  /** Between the replicas and PostgreSQL. */
  get proxy(): TcpProxy {
    if (this.#proxy === undefined) throw new Error("this world has no proxy");
    return this.#proxy;
  }

  replica(index: number): ServerProcess {
    const replica = this.replicas[index];
    if (replica === undefined) throw new Error(`there is no replica ${index}`);
    return replica;
  }

  /** In PostgreSQL the connections of a replica are called `replica-<index>`. */
  async #addReplica(): Promise<ServerProcess> {
    const { logCount, nodeOptions } = this.#options;
    const env = logCount === undefined ? undefined : { LOG_COUNT: String(logCount) };
    const databaseUrl = new URL(this.databaseUrl);
    if (this.#proxy !== undefined) databaseUrl.port = String(this.#proxy.port);
    databaseUrl.searchParams.set("application_name", `replica-${this.#started++}`);
    const place = { databaseUrl: databaseUrl.href, redisUrl: this.#redis?.url };
    const replica = await startServerProcess({ ...place, env, nodeOptions });
    onTestFinished(() => replica.program.kill());
    return replica;
  }

  /** From now on another server is the database: the replicas reach it through the proxy, the scenario by its address. */
  failOver(databaseUrl: string): void {
    this.databaseUrl = databaseUrl;
    this.proxy.redirect(Number(new URL(databaseUrl).port));
  }

  /** A watcher of these replicas (all by default). */
  observe(options: Partial<ObserverOptions> & Pick<ObserverOptions, "protocol">): Observer {
    const observer = new Observer({ urls: this.urls, logCount: this.#options.logCount ?? 1, ...options });
    onTestFinished(() => observer.stop());
    return observer;
  }

  /** Writers through these replicas (all by default). */
  load(options: Partial<LoadOptions> = {}): Load {
    const load = new Load({ urls: this.urls, logCount: this.#options.logCount ?? 1, ...options });
    onTestFinished(() => load.stop());
    return load;
  }

  /** The revision of the last entry of log 0's stream; undefined while there is none. */
  async streamEnd(): Promise<number | undefined> {
    const [store] = await this.sql<{ store_id: string }>("SELECT store_id FROM store");
    this.#client ??= this.redis.client();
    const [entry] = await this.#client.xrevrange(new StreamKeys(store?.store_id ?? "").events(0), "+", "-", "COUNT", 1);
    return entry && Number(entry[0].split("-")[0]);
  }

  history(): Promise<History> {
    return History.read(this.databaseUrl);
  }

  async sql<R extends Record<string, unknown>>(text: string): Promise<R[]> {
    return querySql<R>(this.databaseUrl, text);
  }

  /** A metric summed over all replicas. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const values = await Promise.all(this.replicas.map((replica) => replica.metric(name, labels)));
    return values.reduce((sum, value) => sum + value, 0);
  }
}
