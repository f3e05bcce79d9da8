import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PG_MIGRATE_LOCK_ID, runner } from "node-pg-migrate";
import type { Statement } from "./database.js";
import { connectSession, type DatabaseClient } from "./database-client.js";
import { openError } from "./driver-errors.js";
import { findStore, MIGRATIONS_TABLE, quoteIdentifier, type StorePlace } from "./find-store.js";
import { refuseTransactionPooler } from "./session-contract.js";
import { WRITE_COMPAT_STREAMS } from "./statements/compat.js";
import { CREATE_LOGS, CREATE_STORE, READ_STORE, type StoreRow } from "./statements/store.js";
import type { StoreIdentity } from "./store.js";
import { UnfitDatabaseError } from "./unfit-database.js";

/** The schema this program writes. A store may ask for a newer one: see `store.oldest_program_schema`. */
const PROGRAM_SCHEMA = 2;

const MIGRATIONS = fileURLToPath(new URL("./migrations/", import.meta.url));

/** The newest migration this program knows. */
export function newestMigration(): number {
  return Math.max(...readdirSync(MIGRATIONS).map(migrationNumber));
}

/** The number that the name of a migration's file begins with. */
export function migrationNumber(fileName: string): number {
  return Number.parseInt(fileName, 10);
}

/** Raised when a store and this program do not fit; its text says what to do. */
export class IncompatibleStoreError extends UnfitDatabaseError {
  override readonly name = "IncompatibleStoreError";
}

/** A store, ready for this program. */
export interface MigratedStore extends StoreIdentity {
  /** The schemas it is in, for `DatabaseOptions.searchPath`. */
  readonly searchPath: string;
}

/**
 * Brings the schema up to date and creates the store on first use. Safe with several replicas starting at once: an advisory
 * lock lets one migrate while the others wait. Calling it again changes nothing.
 *
 * `logCount` (1 to 64) counts only when the store is created; undefined means 1 then, and "whatever it is" later. `compatStreams`
 * is written into the store; undefined leaves it as it is, off at first.
 *
 * Throws UnfitDatabaseError when the database cannot be used, before anything is written; DomainError UNAVAILABLE when it may be later.
 */
export async function migrate(
  url: string,
  options: { readonly logCount?: number | undefined; readonly compatStreams?: boolean | undefined },
): Promise<MigratedStore> {
  const { client, session } = await connectSession(url);
  try {
    if (!session.isDirect) await refuseTransactionPooler(client, async () => (await connectSession(url)).client);
    await client.query(WITHOUT_LIMITS);
    // The library's own lock, taken before anything is decided; it ends with the session.
    await client.query(`SELECT pg_advisory_lock(${PG_MIGRATE_LOCK_ID})`);
    const place = await findStore(client, MIGRATIONS);
    await client.query(createMigrationsTable(place));
    await runner({
      dbClient: client,
      dir: MIGRATIONS,
      migrationsTable: MIGRATIONS_TABLE,
      migrationsSchema: place.migrationsSchema,
      direction: "up",
      noLock: true,
      log: () => {},
    });
    const store = await createStore(client, options.logCount ?? 1);
    assertFits(store, options.logCount);
    if (options.compatStreams !== undefined) {
      await client.query(WRITE_COMPAT_STREAMS.text, [options.compatStreams]);
    }
    return { storeId: store.store_id, logCount: store.log_count, searchPath: place.searchPath };
  } catch (error) {
    throw openError(error);
  } finally {
    await client.end().catch(() => {});
  }
}

/** A migration takes the time it takes, and so does the wait for another replica's. */
const WITHOUT_LIMITS = `
  SET lock_timeout = 0; SET statement_timeout = 0; SET transaction_timeout = 0; SET idle_in_transaction_session_timeout = 0;
  SET enable_seqscan = on; SET enable_hashjoin = on; SET enable_mergejoin = on`;

/** As the library makes it; but its error would hide the one of PostgreSQL. */
function createMigrationsTable({ migrationsSchema }: StorePlace): string {
  const table = `${quoteIdentifier(migrationsSchema)}.${quoteIdentifier(MIGRATIONS_TABLE)}`;
  return `CREATE TABLE IF NOT EXISTS ${table} (id serial PRIMARY KEY, name varchar(255) NOT NULL, run_on timestamp NOT NULL)`;
}

async function createStore(client: DatabaseClient, logCount: number): Promise<StoreRow> {
  const run = async ({ text }: Statement, values: readonly unknown[] = []) =>
    (await client.query<StoreRow>(text, [...values])).rows;
  await run(CREATE_STORE, [logCount]);
  await run(CREATE_LOGS);
  const [store] = await run(READ_STORE);
  if (store === undefined) throw new IncompatibleStoreError("the store table is empty; restore it from a backup");
  return store;
}

function assertFits(store: StoreRow, logCount: number | undefined): void {
  if (store.oldest_program_schema > PROGRAM_SCHEMA) {
    throw new IncompatibleStoreError(
      `this program writes schema ${PROGRAM_SCHEMA}, the store needs ${store.oldest_program_schema} or newer; upgrade the program`,
    );
  }
  if (logCount !== undefined && logCount !== store.log_count) {
    throw new IncompatibleStoreError(
      `LOG_COUNT is ${logCount}, but the store was created with ${store.log_count}; unset LOG_COUNT or use another database`,
    );
  }
}
