import pg from "pg";

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
