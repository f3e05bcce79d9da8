import type { Connection, Database } from "./database.js";

/** A connection that is lent for as long as somebody uses it. */
interface Lent {
  users: number;
  readonly connection: Promise<Connection>;
  readonly giveBack: () => void;
}

/**
 * Runs work that overlaps on one connection, so that PostgreSQL receives it in the order in which it was sent: messages on two
 * connections may overtake each other. The connection goes back to the pool when no work is left. After a failure make another.
 */
export class OrderedConnection {
  readonly #database: Database;
  #lent: Lent | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Runs `work`, which must send all it has to send before it waits. */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.#lent ??= this.#lend();
    const lent = this.#lent;
    lent.users++;
    try {
      return await work(await lent.connection);
    } finally {
      if (--lent.users === 0) {
        this.#lent = undefined;
        lent.giveBack();
      }
    }
  }

  #lend(): Lent {
    const { promise: unused, resolve: giveBack } = withResolvers<void>();
    const connection = new Promise<Connection>((resolve, reject) => {
      const lending = this.#database.withConnection(async (connection) => {
        resolve(connection);
        await unused;
      });
      lending.catch(reject);
    });
    return { users: 0, connection, giveBack };
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
