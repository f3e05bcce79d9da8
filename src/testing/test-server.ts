import { rmSync } from "node:fs";
import { pino } from "pino";
import { createResourceClient, type ResourceClient } from "../client/index.js";
import { readConfig } from "../state-manager/config.js";
import { PostgresCluster } from "../state-manager/embedded-postgres/cluster.js";
import { startStateManager } from "../state-manager/server.js";
import { makeClusterDirectory } from "./cluster-directory.js";
import { copyTemplate, saveTemplate } from "./cluster-template.js";

/** A whole state-manager for tests, with a PostgreSQL of its own. */
export interface TestServer {
  /** Where it listens, for `runControlLoop`, `createTestLoop` and any other client. */
  readonly url: string;
  /** Closed with the server. */
  readonly client: ResourceClient;
  /** Stops everything and removes the data. Twice is safe. */
  close(): Promise<void>;
}

/** Nothing here outlives a test: no write waits for the disk. */
const SETTINGS: ReadonlyMap<string, string> = new Map([
  ["listen_addresses", "127.0.0.1"],
  ["unix_socket_directories", ""],
  ["max_connections", "40"],
  ["shared_buffers", "32MB"],
  ["fsync", "off"],
  ["synchronous_commit", "off"],
  ["full_page_writes", "off"],
  ["jit", "off"],
  ["timezone", "UTC"],
  ["log_timezone", "UTC"],
]);

/**
 * Starts a state-manager on a free loopback port with an empty store: one for a file of tests, say. Works beside others, in
 * this process and elsewhere. What a killed test leaves behind, the next start removes.
 */
export async function startTestServer(): Promise<TestServer> {
  const directory = makeClusterDirectory();
  await copyTemplate(directory);
  const cluster = await PostgresCluster.open(directory, SETTINGS);
  await saveTemplate(directory);
  const end = async () => {
    await cluster.stop("immediate");
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await cluster.start();
    const { config } = readConfig({ SERVER_PORT: "0" });
    const server = await startStateManager({
      config: { ...config, databasePoolSize: 8, shutdownTimeoutMs: 2_000 },
      secrets: { databaseUrl: cluster.url("postgres"), redisUrl: undefined },
      logger: pino({ level: "silent" }),
    });
    const client = createResourceClient(server.url);
    let closed: Promise<void> | undefined;
    const close = async () => {
      client.close();
      await server.stop().finally(end);
    };
    return { url: server.url, client, close: () => (closed ??= close()) };
  } catch (error) {
    await end();
    throw error;
  }
}
