import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type pg from "pg";
import { UnfitDatabaseError } from "./unfit-database.js";

/** The table in which node-pg-migrate keeps what has run. */
export const MIGRATIONS_TABLE = "migrations";

/** Where a store is, or will be made. */
export interface StorePlace {
  /** Of the table `migrations`. */
  readonly migrationsSchema: string;
  /** For `search_path`: the schemas of all tables. */
  readonly searchPath: string;
}

/** A table, view or sequence with a name of ours. */
interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
  /** Reached by its name alone. */
  readonly is_visible: boolean;
}

const FIND_RELATIONS = `
  SELECT n.nspname::text AS schema, c.relname::text AS name, pg_table_is_visible(c.oid) AS is_visible,
    ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^(pg_|information_schema$)'`;

/**
 * Finds the store of a database, or the place for a new one, without writing anything. Throws UnfitDatabaseError when the database
 * belongs to another program: migrations that ran there would leave some of their tables among its own.
 *
 * `migrations` is the directory of the SQL files: all tables that they make are looked for.
 */
export async function findStore(client: pg.Client, migrations: string): Promise<StorePlace> {
  const { rows } = await client.query<{ schema: string | null; database: string }>(
    "SELECT current_schema() AS schema, current_database() AS database",
  );
  const { schema, database } = rows[0] ?? { schema: null, database: "" };
  if (schema === null) {
    throw new UnfitDatabaseError(
      `search_path names no schema of the database ${database}: create one (CREATE SCHEMA), or correct search_path of the role or in DATABASE_URL`,
    );
  }
  const names = [...tablesOf(migrations), MIGRATIONS_TABLE];
  const found = (await client.query<Relation>(FIND_RELATIONS, [names])).rows;
  const here = found.filter(({ is_visible, schema: its }) => is_visible || its === schema);
  const store = here.find(isStore);
  const ran = here.find(({ name }) => name === MIGRATIONS_TABLE);
  if (store !== undefined && ran !== undefined) {
    const schemas = [...new Set([store.schema, ran.schema])];
    return { migrationsSchema: ran.schema, searchPath: schemas.map(quoteIdentifier).join(", ") };
  }
  refuseHidden(found.find(isStore), store, database);
  // A first start that was killed may have left it, without a row.
  const isBegun = ran !== undefined && isMigrationsTable(ran) && (await isEmpty(client, ran));
  refuseForeign(
    here.filter((relation) => relation !== ran || !isBegun),
    database,
  );
  return { migrationsSchema: schema, searchPath: quoteIdentifier(schema) };
}

function refuseHidden(store: Relation | undefined, visible: Relation | undefined, database: string): void {
  if (visible !== undefined) {
    throw new UnfitDatabaseError(
      `the database ${database} has a store, but its table ${MIGRATIONS_TABLE} is gone or hidden by search_path: restore it from a backup`,
    );
  }
  if (store !== undefined) {
    throw new UnfitDatabaseError(
      `the store of the database ${database} is in the schema ${store.schema}, which search_path does not name: ALTER ROLE … SET search_path = ${quoteIdentifier(store.schema)}, or name another database in DATABASE_URL`,
    );
  }
}

function refuseForeign(relations: readonly Relation[], database: string): void {
  if (relations.length === 0) return;
  const names = relations.map(({ name }) => name).sort();
  const owner = relations.some(isOriginals) ? "an installation of the original system" : "another program";
  throw new UnfitDatabaseError(
    `the database ${database} belongs to ${owner} (it has ${names.join(", ")}) and was left as it is: create an empty one (createdb reconcile) and name that in DATABASE_URL`,
  );
}

function isStore({ name, columns }: Relation): boolean {
  return name === "store" && ["singleton", "store_id", "log_count"].every((column) => columns.includes(column));
}

/** The system whose REST API the dialect follows. */
function isOriginals({ name, columns }: Relation): boolean {
  return name === "resources" && ["current_version", "deletion_timestamp"].every((column) => columns.includes(column));
}

function isMigrationsTable({ columns }: Relation): boolean {
  return columns.length === 3 && ["id", "name", "run_on"].every((column) => columns.includes(column));
}

async function isEmpty(client: pg.Client, { schema, name }: Relation): Promise<boolean> {
  const { rowCount } = await client.query(`SELECT FROM ${quoteIdentifier(schema)}.${quoteIdentifier(name)} LIMIT 1`);
  return rowCount === 0;
}

/** Every table and sequence that the migrations make. */
function tablesOf(migrations: string): readonly string[] {
  const files = readdirSync(migrations).filter((file) => file.endsWith(".sql"));
  const text = files.map((file) => readFileSync(join(migrations, file), "utf8")).join("\n");
  return Array.from(text.matchAll(/^CREATE (?:TABLE|SEQUENCE) (\w+)/gm), ([, name = ""]) => name);
}

/** A name as SQL takes it, whatever characters it has. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
