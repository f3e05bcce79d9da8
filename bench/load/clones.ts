import pg from "pg";
import { createMany } from "./widgets.js";

/** Not a divisor of any number of clones, so the names come in another order than the rows lie on the disk. */
const STRIDE = 7_919;

/** How many there are to be, and how many of them wait for a reconciler. */
export interface Clones {
  readonly count: number;
  readonly pending?: number;
}

/** Labels of every clone are `cell: c0` … ; so many share one. */
export const CLONES_PER_CELL = 500;

/**
 * Fills a store far faster than its API would: one resource is created through the API, and PostgreSQL copies its row, and for
 * pending ones its work item. They are called `clone-0`, `clone-1`, …; the change log knows nothing of them.
 */
export async function cloneResources(url: string, databaseUrl: string, { count, pending = 0 }: Clones): Promise<void> {
  await createMany(url, 1);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query("CREATE TEMP TABLE original AS SELECT * FROM resources LIMIT 1");
  await client.query("CREATE TEMP TABLE item AS SELECT * FROM work_items LIMIT 1");
  const values = [count, STRIDE, CLONES_PER_CELL, pending];
  await client.query(
    `INSERT INTO resources (${await columnsOf(client, "resources", "")}) SELECT ${await columnsOf(client, "resources", "r.")}
     FROM original o, generate_series(0, $1::bigint - 1) n,
     LATERAL jsonb_populate_record(o, jsonb_build_object(
       'id', nextval('resource_ids'), 'uid', gen_random_uuid(), 'name', 'clone-' || (n * $2 % $1),
       'observed_generation', CASE WHEN n < $4 THEN 0 ELSE 1 END,
       'labels', o.labels || jsonb_build_object('cell', 'c' || n / $3))) r`,
    values,
  );
  await client.query(
    `INSERT INTO work_items (${await columnsOf(client, "work_items", "")}) SELECT ${await columnsOf(client, "work_items", "w.")}
     FROM item i, resources r, LATERAL jsonb_populate_record(i, jsonb_build_object('name', r.name, 'resource_id', r.id)) w
     WHERE r.name LIKE 'clone-%' AND r.observed_generation = 0`,
  );
  await client.query("VACUUM (ANALYZE) resources, work_items");
  await client.query("CHECKPOINT");
  await client.end();
}

async function columnsOf(client: pg.Client, table: string, prefix: string): Promise<string> {
  const { rows } = await client.query<{ column_name: string }>(
    "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'NEVER'",
    [table],
  );
  return rows.map(({ column_name }) => prefix + column_name).join(", ");
}
