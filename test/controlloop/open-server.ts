import { freePort } from "../../src/shared/free-port.js";
import { createDatabase } from "../support/postgres.js";
import { startServer, type TestServer } from "../support/server.js";

/** A server that stops and starts again on the same port and database. */
export interface RestartableServer {
  readonly url: string;
  start(): Promise<void>;
  /** Safe when stopped. */
  stop(): Promise<void>;
  /** Stops it and drops its database. */
  close(): Promise<void>;
}

/** Starts one. */
export async function openServer(): Promise<RestartableServer> {
  const database = await createDatabase();
  const serverPort = await freePort();
  let running: TestServer | undefined;
  const server = {
    url: `http://127.0.0.1:${serverPort}`,
    async start() {
      running = await startServer({ databaseUrl: database.url, config: { serverPort } });
    },
    async stop() {
      await running?.stop();
      running = undefined;
    },
    async close() {
      await server.stop();
      await database.drop();
    },
  };
  await server.start();
  return server;
}
