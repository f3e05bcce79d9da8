import pg from "pg";
import type { Stage } from "../stage.js";
import { createMany } from "./widgets.js";

/** Not a divisor of any number of clones, so the names come in another order than the rows lie on the disk. */
const STRIDE = 7_919;

/** Labels of every clone are `cell: c0` … ; so many share one. */
export const CLONES_PER_CELL = 500;

/** A store with so many resources, all reconciled, filled once for all questions that ask for it. */
export function storeOf(stage: Stage, count: number): Promise<string> {
  return stage.copyOf(`${count} clones`, async (databaseUrl) => {
    const { url, program } = await stage.stateManager({ DATABASE_URL: databaseUrl });
    await cloneResources(url, databaseUrl, count);
    await program.kill();
  });
}

/**
 * Fills a store far faster than its API would: one resource is created through the API, and PostgreSQL copies its row. They are
 * called `clone-0`, `clone-1`, …; the change log knows nothing of them.
 */
async function cloneResources(url: string, databaseUrl: string, count: number): Promise<void> {
  await createMany(url, 1);
  await inDatabase(databaseUrl, async (client) => {
    await client.query("CREATE TEMP TABLE original AS SELECT * FROM resources LIMIT 1");
    // An index is made faster at once than entry by entry.
    const { rows: indexes } = await client.query<{ name: string; definition: string }>(
      "SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE indexname LIKE 'resources_by_%'",
    );
    for (const { name } of indexes) await client.query(`DROP INDEX ${name}`);
    await client.query(
      `INSERT INTO resources (${await columnsOf(client, "resources", "")}) SELECT ${await columnsOf(client, "resources", "r.")}
       FROM original o, generate_series(0, $1::bigint - 1) n,
       LATERAL jsonb_populate_record(o, jsonb_build_object(
         'id', nextval('resource_ids'), 'uid', gen_random_uuid(), 'name', 'clone-' || (n * $2 % $1),
         'observed_generation', 1, 'labels', o.labels || jsonb_build_object('cell', 'c' || n / $3))) r`,
      [count, STRIDE, CLONES_PER_CELL],
    );
    for (const { definition } of indexes) await client.query(definition);
  });
}

/** Makes so many clones wait for a reconciler. */
export async function makePending(databaseUrl: string, count: number): Promise<void> {
  await inDatabase(databaseUrl, async (client) => {
    await client.query("CREATE TEMP TABLE item AS SELECT * FROM work_items LIMIT 1");
    await client.query(
      `WITH pending AS (
         UPDATE resources r SET observed_generation = 0
         FROM (SELECT id FROM resources WHERE name LIKE 'clone-%' ORDER BY id LIMIT $1) first WHERE r.id = first.id
         RETURNING r.id, r.name)
       INSERT INTO work_items (${await columnsOf(client, "work_items", "")}) SELECT ${await columnsOf(client, "work_items", "w.")}
       FROM item i, pending r, LATERAL jsonb_populate_record(i, jsonb_build_object('name', r.name, 'resource_id', r.id)) w`,
      [count],
    );
  });
}

/** Leaves the database as it is after a while: with statistics, and nothing to be written soon. */
async function inDatabase(connectionString: string, change: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await change(client);
    await client.query("VACUUM (ANALYZE) resources, work_items");
    await client.query("CHECKPOINT");
  } finally {
    await client.end();
  }
}

async function columnsOf(client: pg.Client, table: string, prefix: string): Promise<string> {
  const { rows } = await client.query<{ column_name: string }>(
    "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND is_generated = 'NEVER'",
    [table],
  );
  return rows.map(({ column_name }) => prefix + column_name).join(", ");
}
