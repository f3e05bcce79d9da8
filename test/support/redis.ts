/** Real Redis servers for tests, from the `redis-server` on PATH (scripts/install-test-tools.mjs puts it there). */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { freePort } from "../../src/shared/free-port.js";
import { runDirectory } from "./run-directory.js";
import { until } from "./until.js";

/** Whether `redis-server` is on PATH. */
export const hasRedis: boolean = spawnSync("redis-server", ["--version"]).status === 0;

/** A Redis server of one test on a port and in a directory of its own. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Ends it with SIGKILL: nothing is saved. `SAVE` through `client()` first to find the data again. */
  kill(): Promise<void>;
  /** Starts it again on the same port and directory; it loads `dump.rdb` when there is one. */
  start(): Promise<void>;
  /** Ends it, its clients and its directory. Safe to call twice. */
  stop(): Promise<void>;
  /** A new client of the test itself; `stop` disconnects it. */
  client(): Redis;
}

/** Starts a Redis without persistence (`--save ''`). `args` are further `redis-server` options. */
export async function startRedis(...args: string[]): Promise<RedisServer> {
  const port = await freePort();
  const dataDir = mkdtempSync(join(runDirectory(), "redis-"));
  const clients: Redis[] = [];
  let child: ChildProcess | undefined;

  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    port,
    dataDir,
    async start() {
      const place = ["--port", String(port), "--bind", "127.0.0.1", "--dir", dataDir];
      // Its command line keeps naming its directory, by which run-directory.ts knows it.
      const marks = ["--pidfile", join(dataDir, "redis.pid"), "--set-proc-title", "no"];
      const options = [...place, ...marks, "--save", "", "--loglevel", "warning"];
      child = spawn("redis-server", [...options, ...args], { stdio: "ignore", cwd: dataDir });
      await Promise.race([answers(port), failsToStart(child)]);
    },
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
    async stop() {
      for (const client of clients) client.disconnect();
      await server.kill();
      rmSync(dataDir, { recursive: true, force: true });
    },
    client() {
      const client = new Redis({ host: "127.0.0.1", port });
      client.on("error", () => {}); // A test that kills its Redis expects the connection to break.
      clients.push(client);
      return client;
    },
  };
  await server.start();
  return server;
}

async function answers(port: number): Promise<void> {
  const probe = new Redis({ host: "127.0.0.1", port, retryStrategy: () => 20, maxRetriesPerRequest: null });
  probe.on("error", () => {}); // Refused until it listens.
  try {
    await until(async () => (await probe.ping()) === "PONG", { what: `redis-server answers on port ${port}` });
  } finally {
    probe.disconnect();
  }
}

async function failsToStart(child: ChildProcess): Promise<never> {
  const [code] = await once(child, "exit"); // A missing program is an `error`, which `once` rejects with.
  throw new Error(`redis-server ended with code ${code} instead of starting`);
}
