import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import { Database } from "./database.js";
import { DatabaseClient } from "./database-client.js";
import { CREATE_LOGS, CREATE_STORE, READ_STORE, type StoreRow } from "./statements/store.js";
import type { StoreIdentity } from "./store.js";

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
export class IncompatibleStoreError extends Error {
  override readonly name = "IncompatibleStoreError";
}

/**
 * Brings the schema up to date and creates the store on first use. Safe with several replicas starting at once: an advisory
 * lock lets one migrate while the others wait. Calling it again changes nothing.
 *
 * `logCount` (1 to 64) counts only when the store is created; undefined means 1 then, and "whatever it is" later.
 */
export async function migrate(
  url: string,
  options: { readonly logCount?: number | undefined },
): Promise<StoreIdentity> {
  const dbClient = new DatabaseClient({ connectionString: url });
  await dbClient.connect();
  try {
    await runner({
      dbClient,
      dir: MIGRATIONS,
      migrationsTable: "migrations",
      direction: "up",
      advisoryLockMode: "wait",
      log: () => {},
    });
  } finally {
    await dbClient.end();
  }
  const database = new Database({ url, poolSize: 1 });
  try {
    await database.query(CREATE_STORE, [options.logCount ?? 1]);
    await database.query(CREATE_LOGS);
    const [store] = await database.query<StoreRow>(READ_STORE);
    if (store === undefined) throw new IncompatibleStoreError("the store table is empty; restore it from a backup");
    assertFits(store, options.logCount);
    return { storeId: store.store_id, logCount: store.log_count };
  } finally {
    await database.close();
  }
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
