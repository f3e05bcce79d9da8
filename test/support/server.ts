/** A whole state-manager in this process, on a fresh database unless told otherwise. */
import { type Config, readConfig } from "../../src/state-manager/config.js";
import { createLogger } from "../../src/state-manager/observability/logger.js";
import { type StateManager, startStateManager } from "../../src/state-manager/server.js";
import { createDatabase } from "./postgres.js";

export interface TestServer extends StateManager {
  readonly host: string;
  readonly port: number;
  readonly databaseUrl: string;
}

/** What a test wants otherwise than by default. */
export interface TestServerOptions {
  /** Shared with another server; a fresh database, dropped with the server, when absent. */
  readonly databaseUrl?: string;
  readonly redisUrl?: string;
  readonly config?: Partial<Config>;
}

/** Starts a server on a free loopback port. Its log is silent: a test that needs a line reads metrics or state. */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const database = options.databaseUrl === undefined ? await createDatabase() : undefined;
  // One of the two is set: see above.
  const databaseUrl = options.databaseUrl ?? (database as { url: string }).url;
  const { config } = readConfig({ SERVER_PORT: "0" });
  const server = await startStateManager({
    config: { ...config, shutdownTimeoutMs: 2_000, ...options.config },
    secrets: { databaseUrl, redisUrl: options.redisUrl },
    logger: createLogger("silent"),
  });
  const { hostname, port } = new URL(server.url);
  return {
    ...server,
    databaseUrl,
    host: hostname,
    port: Number(port),
    stop: async () => {
      await server.stop();
      await database?.drop();
    },
  };
}
