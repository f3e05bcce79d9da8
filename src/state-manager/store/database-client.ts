import pg from "pg";
import { formatOptions, splitOptions } from "./database-url.js";
import { connectError } from "./driver-errors.js";
import { PINNED, type VerifiedSession, verifySession } from "./session-contract.js";

/**
 * A connection to PostgreSQL that always has an error listener. Everything that connects uses this class.
 *
 * PostgreSQL may end a connection it has just accepted: ReadyForQuery and FATAL arrive in one read. The driver emits the error at
 * once, when the pool has removed its listener and the caller's code, some promises later, has not yet added one. An `error` event
 * without a listener ends the process. The error itself is not lost: every later statement on the connection is rejected.
 */
export class DatabaseClient extends pg.Client {
  constructor(config?: string | pg.ClientConfig) {
    super(config);
    this.on("error", () => {});
  }
}

/**
 * How the sessions of this program are opened: the pinned settings come with the options of the URL, which may add to them and not
 * contradict them. `searchPath`: the schemas of the store, once they are known; a role's setting may change later.
 */
export function sessionConfig(databaseUrl: string, searchPath?: string) {
  const { url, options } = splitOptions(databaseUrl);
  const pinned = Array.from(PINNED, ([name, value]) => ({ name, value }));
  const path = searchPath === undefined ? [] : [{ name: "search_path", value: searchPath }];
  return {
    connectionString: url,
    application_name: "reconcile",
    options: formatOptions([...options, ...pinned, ...path]),
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  } satisfies pg.ClientConfig;
}

/** A session of its own, found fit; the caller ends it. Rejects with UnfitDatabaseError, or with DomainError UNAVAILABLE. */
export async function connectSession(url: string): Promise<{ client: DatabaseClient; session: VerifiedSession }> {
  const client = new DatabaseClient(sessionConfig(url));
  try {
    await client.connect();
    return { client, session: await verifySession(client) };
  } catch (error) {
    await client.end().catch(() => {});
    throw connectError(error);
  }
}
