import pg from "pg";
import { DomainError } from "../../resource/errors.js";
import { DatabaseClient, sessionConfig } from "./database-client.js";
import { connectError, translateDriverError } from "./driver-errors.js";
import { verifySession } from "./session-contract.js";
import { StatementGroup } from "./statement-group.js";

/** An SQL text with the name it is prepared, counted and logged under. Values are always parameters. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  /** False: planned for its very values every time, for texts of many shapes or with filters that may be off. Default true. */
  readonly isPrepared?: boolean;
  /**
   * An index has the rows in the order that is asked for: nothing is to be sorted that can be read in order. Statistics may be none, or
   * those of a table that was empty then; by them it is as cheap to read all rows of a kind and sort them.
   */
  readonly isInOrder?: boolean;
}

/** A statement and its parameters. */
export interface BoundStatement {
  readonly statement: Statement;
  readonly values: readonly unknown[];
}

/**
 * Runs statements on one connection, in a transaction or outside.
 *
 * Statements sent without waiting for the one before share a round trip. They run in order, each on a snapshot of its own; after
 * one that failed the rest of its transaction fails too, so the first rejection is the one that matters.
 */
export interface Connection {
  /** Rows as the driver parses them: int8 is bigint, json is its raw text, jsonb is parsed. */
  query<Row>(statement: Statement, values?: readonly unknown[]): Promise<Row[]>;

  /**
   * Runs statements as one `StatementGroup`: one message there, one back. Resolves with the rows of each; rejects with the first
   * error, and what comes behind it does not run.
   */
  queryAll(statements: readonly BoundStatement[]): Promise<unknown[][]>;
}

/** How a store reaches PostgreSQL. */
export interface DatabaseOptions {
  readonly url: string;
  /** Connections at most; `DEFAULT_POOL_SIZE` by default. */
  readonly poolSize?: number | undefined;
  /** How long an answer is waited for, in milliseconds; 12,000 by default, which is longer than any statement may take. */
  readonly queryTimeoutMs?: number | undefined;
  /** Told about every statement sent, by name. */
  readonly onStatement?: ((name: string) => void) | undefined;
  /** The schemas of the store, as `search_path`; by default what the role and the URL say. */
  readonly searchPath?: string | undefined;
  /** Told about every failure that is UNAVAILABLE. */
  readonly onUnavailable?: ((error: DomainError) => void) | undefined;
  /** Told about connections that break while idle. */
  readonly onIdleError?: ((error: Error) => void) | undefined;
}

/** Few are enough: the work is done in batches. */
export const DEFAULT_POOL_SIZE = 10;

const INT8 = 20;
const JSON_TYPE = 114;
const FLOAT8 = 701;

/** int8 must not round (a `number` would), json must stay the text that was written. */
const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: "text" | "binary") {
    if (oid === INT8) return BigInt;
    if (oid === JSON_TYPE) return String;
    if (oid === FLOAT8) return Number;
    return format === "binary" ? pg.types.getTypeParser(oid, "binary") : pg.types.getTypeParser(oid, "text");
  },
};

/** The pool of connections to PostgreSQL, each found fit when it is made. Errors that may pass are DomainError UNAVAILABLE: see driver-errors.ts. */
export class Database implements Connection {
  readonly #pool: pg.Pool;
  readonly #onStatement: (name: string) => void;
  readonly #onUnavailable: (error: DomainError) => void;

  constructor(options: DatabaseOptions) {
    this.#onStatement = options.onStatement ?? (() => {});
    this.#onUnavailable = options.onUnavailable ?? (() => {});
    this.#pool = new pg.Pool({
      ...sessionConfig(options.url, options.searchPath),
      Client: DatabaseClient,
      max: options.poolSize ?? DEFAULT_POOL_SIZE,
      // A connection whose other end vanished would else be waited for without end.
      query_timeout: options.queryTimeoutMs ?? 12_000,
      // What is sent without waiting goes out at once; else the driver would hold it back until the reply before is in.
      pipeline: true,
      types,
      // The pool waits for what this returns, whatever its type says.
      onConnect: verifySession,
    });
    this.#pool.on("error", (error) => {
      // Once it ends, the pool no longer waits for its connections to be gone.
      if (!this.#pool.ending) options.onIdleError?.(error);
    });
  }

  async query<Row>(statement: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    return this.withConnection((connection) => connection.query<Row>(statement, values));
  }

  async queryAll(statements: readonly BoundStatement[]): Promise<unknown[][]> {
    return this.withConnection((connection) => connection.queryAll(statements));
  }

  /** Runs `work` between BEGIN and COMMIT; rolls back and rethrows when it throws. */
  async transaction<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    return this.#lend(client, async (connection) => {
      await connection.query(BEGIN);
      try {
        const result = await work(connection);
        await connection.query(COMMIT);
        return result;
      } catch (error) {
        await rollBack(connection, error);
        throw error;
      }
    });
  }

  /** A connection for multi-step work the caller brackets itself (group commit, advisory locks). */
  async withConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.#connect();
    return this.#lend(client, work);
  }

  /** Closes all connections; running statements finish first. */
  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw translateDriverError(connectError(error));
    }
  }

  async #lend<T>(client: pg.PoolClient, work: (connection: Connection) => Promise<T>): Promise<T> {
    let broken: Error | undefined;
    const onError = (error: Error) => {
      broken = error;
    };
    client.on("error", onError);
    try {
      const answered = async <T>(answer: Promise<T>): Promise<T> => {
        try {
          return await answer;
        } catch (error) {
          const translated = translateDriverError(error);
          if (translated instanceof DomainError) {
            broken = translated;
            this.#onUnavailable(translated);
          }
          throw translated;
        }
      };
      return await work({
        query: async <Row>(statement: Statement, values: readonly unknown[] = []) => {
          this.#onStatement(statement.name);
          return (await answered(send(client, statement, values))) as Row[];
        },
        queryAll: async (statements) => {
          for (const { statement } of statements) this.#onStatement(statement.name);
          return answered(sendAll(client, statements));
        },
      });
    } finally {
      client.off("error", onError);
      client.release(broken);
    }
  }
}

async function send(client: pg.PoolClient, statement: Statement, values: readonly unknown[]): Promise<unknown[]> {
  // Without parameters it may be several statements.
  if (values.length === 0) return (await client.query(statement.text)).rows;
  return (await sendAll(client, [{ statement, values }]))[0] ?? [];
}

async function sendAll(client: pg.PoolClient, statements: readonly BoundStatement[]): Promise<unknown[][]> {
  if (statements.length === 0) return [];
  const settings = plannerSettings(statements);
  const answers = new Promise<unknown[][]>((resolve, reject) => {
    const group = [...settings, ...statements];
    client.query(new StatementGroup(group, types, (error, rows) => (error ? reject(error) : resolve(rows))));
  });
  return (await answers).slice(settings.length);
}

/** What the planner is to be told before these statements, until the end of their transaction. */
function plannerSettings(statements: readonly BoundStatement[]): readonly BoundStatement[] {
  const isForValues = statements.some(({ statement }) => statement.isPrepared === false);
  const isInOrder = statements.some(({ statement }) => statement.isInOrder);
  return [...(isForValues ? [PLAN_FOR_VALUES] : []), ...(isInOrder ? [PLAN_IN_ORDER] : [])];
}

/** Ends a transaction that failed with `cause`. The first error is the one that matters, so this never rejects. */
export async function rollBack(connection: Connection, cause: unknown): Promise<void> {
  // A connection that lost the server is discarded, and its transaction with it: it could only be waited for once more.
  if (cause instanceof DomainError && cause.code === "UNAVAILABLE") return;
  await connection.query(ROLLBACK).catch(() => {});
}

/** Plans are made for the values at hand. */
const PLAN_FOR_VALUES = setting("plan-for-values", { plan_cache_mode: "auto" });
/** Nothing is sorted that can be read in order. */
const PLAN_IN_ORDER = setting("plan-in-order", { enable_sort: "off", enable_incremental_sort: "off" });

function setting(name: string, values: Readonly<Record<string, string>>): BoundStatement {
  const calls = Object.entries(values).map(([setting, value]) => `set_config('${setting}', '${value}', true)`);
  return { statement: { name, text: `SELECT ${calls.join(", ")}` }, values: [] };
}

/** Opens a transaction. */
export const BEGIN: Statement = { name: "begin", text: "BEGIN" };
/** Makes it durable. */
export const COMMIT: Statement = { name: "commit", text: "COMMIT" };
/** Takes it back. */
const ROLLBACK: Statement = { name: "rollback", text: "ROLLBACK" };
/** Asks whether the server answers. */
export const PING: Statement = { name: "ping", text: "SELECT 1" };
