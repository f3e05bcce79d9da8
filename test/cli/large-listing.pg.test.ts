import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { startServer } from "../support/server.js";
import { until } from "../support/until.js";
import { start } from "./reconcile.js";

const RESOURCES = 100_000;
const FIRST_ROW_MS = 300;
const TRIES = 10;

// The best of some tries counts: two cores are shared with other tests. The first also loads the modules.
it("get -A prints the first of 100,000 resources in under 300 ms", async () => {
  const server = await startServer();
  onTestFinished(() => server.stop());
  await seed(server.databaseUrl);

  const times: number[] = [];
  while (times.length < TRIES && !times.some((ms) => ms < FIRST_ROW_MS)) {
    const startedAt = performance.now();
    const listing = start(["get", "-A"], { env: { RECONCILE_SERVER: server.url } });
    await until(() => listing.out().includes(" thing-1 "), { everyMs: 1 });
    times.push(performance.now() - startedAt);
    listing.interrupt();
    expect(await listing.ended).toMatchObject({ code: 130, err: "" });
  }
  expect(Math.min(...times)).toBeLessThan(FIRST_ROW_MS);
});

/** Writes what 100,000 creations would leave in the table, without their history. */
async function seed(databaseUrl: string): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  await client.query(`
    INSERT INTO resources (id, resource_group, kind, namespace, name, uid, shard_id, log_id, labels, annotations, finalizers,
      spec, status, generation, observed_generation, revision, write_count, bytes, created_at, updated_at)
    SELECT i, 'demo', 'thing', 'ns-' || i % 10, 'thing-' || i, gen_random_uuid(), 'default', 0, '{}', '{}', '[]',
      '{"size": 1}', '{"conditions": [{"type": "Ready", "status": "True", "reason": "Up"}]}', 1, 1, i, 1, 100, now(), now()
    FROM generate_series(1, ${RESOURCES}) i`);
  await client.end();
}
