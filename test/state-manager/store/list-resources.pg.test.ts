import { describe, expect, test } from "vitest";
import { parseLabelSelector } from "../../../src/resource/parse-label-selector.js";
import { Database, type Statement } from "../../../src/state-manager/store/database.js";
import { listResources } from "../../../src/state-manager/store/list-resources.js";
import type { ListQuery } from "../../../src/state-manager/store/store.js";
import { querySql } from "../../support/history.js";
import { createDatabase } from "../../support/postgres.js";

const YOUNG = 20_000;
/** The page, one more to know whether another follows, and the page once more, to read it after its size is known. */
const PAGE_ROWS = 100 + 1 + 100;

const kind = { resourceGroup: "apps", kind: "Widget" };
const page = { pendingOnly: false, afterId: 0n, offset: 0, limit: 100, maxBytes: 4_000_000 };

/** How many rows of the table PostgreSQL reads for the page, by its own account. */
async function rowsRead(database: Database, query: ListQuery): Promise<number> {
  let plan: Plan | undefined;
  const explainer = {
    query: async (statement: Statement, values: unknown[]) => {
      const text = `EXPLAIN (ANALYZE, FORMAT JSON) ${statement.text}`;
      const [row] = await database.query<{ "QUERY PLAN": string }>({ ...statement, text }, values);
      plan = JSON.parse(row?.["QUERY PLAN"] ?? "")[0].Plan;
      return [];
    },
  };
  await listResources(explainer as unknown as Database, query);
  if (plan === undefined) throw new Error("nothing was explained");
  return rowsOf(plan);
}

interface Plan {
  readonly "Relation Name"?: string;
  /** Of a loop, as the next. */
  readonly "Actual Rows": number;
  readonly "Rows Removed by Filter"?: number;
  readonly "Actual Loops": number;
  readonly Plans?: readonly Plan[];
}

function rowsOf(plan: Plan): number {
  const ofLoop = plan["Actual Rows"] + (plan["Rows Removed by Filter"] ?? 0);
  const own = plan["Relation Name"] === "resources" ? ofLoop * plan["Actual Loops"] : 0;
  return (plan.Plans ?? []).reduce((sum, inner) => sum + rowsOf(inner), own);
}

describe("a page of a store too young for statistics", () => {
  test("reads the page, not the kind: 100 of 100,000 took 400 ms in the first minute", async () => {
    const { url, drop } = await createDatabase();
    const database = new Database({ url });
    try {
      await querySql(url, "ALTER TABLE resources SET (autovacuum_enabled = false)");
      await querySql(url, SEED);
      const read = (filter: ListQuery["filter"]) => rowsRead(database, { ...page, filter });
      expect(await read(kind)).toBe(PAGE_ROWS);
      expect(await read({})).toBe(PAGE_ROWS);
      expect(await read({ shardId: "s" })).toBe(PAGE_ROWS);
      expect(await read({ ...kind, labels: parseLabelSelector("page in (none)") })).toBe(0);
      expect(await read({ ...kind, labels: parseLabelSelector("page in (p7)") })).toBe(PAGE_ROWS);
      expect(await read({ ...kind, namespace: "space-3", name: "w-3" })).toBe(2);
    } finally {
      await database.close();
      await drop();
    }
  });
});

const SEED = `
  INSERT INTO resources (id, resource_group, kind, namespace, name, uid, shard_id, log_id, labels, annotations, finalizers,
    spec, generation, observed_generation, revision, write_count, bytes, created_at, updated_at)
  SELECT i, 'apps', 'Widget', 'space-' || i % 20, 'w-' || i, gen_random_uuid(), 's', 0,
    jsonb_build_object('page', 'p' || i / 101), '{}', '[]', '{"n":1}', 1, 1, i, 1, 7, now(), now()
  FROM generate_series(0, ${YOUNG - 1}) i`;
