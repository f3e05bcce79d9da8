import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Statement } from "../../../src/state-manager/store/database.js";
import {
  MARK_SOLO,
  MARK_TURNS,
  PEEK,
  PROMOTE,
  READ_LEASED,
} from "../../../src/state-manager/store/statements/lease-work.js";
import { listWork } from "../../../src/state-manager/store/statements/list-work.js";
import { RENEW_SESSION } from "../../../src/state-manager/store/statements/sessions.js";
import {
  EXPIRE_DEADLINES,
  FIND_UNSHOWN_QUARANTINES,
  PULSE,
  RETURN_LEASES,
  RETURN_LEASES_OF_SESSIONS,
  SAVE_PROGRESS,
  STRIKE_LEASES_OF_SESSIONS,
} from "../../../src/state-manager/store/statements/work-items.js";
import { type PlanNode, planOf } from "../../support/plan.js";
import { fillQueue, leaseNow, openWork, registration, type Work } from "./open-work.js";

const ITEMS = 100_000;

let work: Work;
let sessionId: string;
beforeAll(async () => {
  work = await openWork();
  ({ sessionId } = await work.queue.register(registration({ concurrency: 1_000, leaseDurationMs: 600_000 })));
});
afterAll(() => work.close());

/** Every item due, in all priorities, and some more leased by sessions of other reconcilers. */
async function fill(): Promise<void> {
  await fillQueue(work, ITEMS, { priority: "i % 3" });
  await work.sql(`
    INSERT INTO work_items (resource_group, kind, namespace, name, resource_id, shard_id, wanted, priority, reason, is_pending,
      lease_token, lease_session_id, lease_resource_id, lease_wanted, leased_at, lease_deadline)
    SELECT 'apps', 'Gadget', 'default', 'r' || i, i, 'main', 1, 0, 'CREATED', true,
      gen_random_uuid()::text, md5((i % 100)::text)::uuid, i, 1, now(), now() + interval '1 hour' + i * interval '1 s'
    FROM generate_series(1, 2000) i`);
  await work.sql("ANALYZE");
}

const scansOf = (nodes: readonly PlanNode[]) =>
  nodes.filter((node) => node["Relation Name"] === "work_items" && node["Node Type"].endsWith("Scan"));

const planned = (statement: Statement, values: readonly string[]) =>
  planOf(
    work.store.database,
    statement,
    values.map((value) => value.replace("$session", `'${sessionId}'::uuid`)),
  );

const MARK = ["$session", "'apps'", "'Widget'", "50", "false"];
const IN_QUEUE = ["work_items_ready", "work_items_scheduled", "work_items_struck"];

const STATEMENTS: [string, Statement, string[], string[]][] = [
  ["mark-leases", MARK_TURNS, [...MARK, "'{0,1}'", "'{a,b}'", "'{0,0}'", "'{116,116}'", "true"], ["work_items_ready"]],
  ["mark-solo", MARK_SOLO, MARK, ["work_items_struck"]],
  ["read-leased", READ_LEASED, ["1000"], ["resources_pkey"]],
  ["promote-work", PROMOTE, ["'apps'", "'Widget'"], ["work_items_scheduled"]],
  ["peek-work", PEEK, MARK.slice(0, 3), IN_QUEUE],
  ["pulse", PULSE, ["'{apps}'", "'{Widget}'"], IN_QUEUE],
  ["expire-deadlines", EXPIRE_DEADLINES, [], ["work_items_deadline"]],
  ["return-leases", RETURN_LEASES, ["$session", "'{a,b}'", "NULL"], ["work_items_leased"]],
  ["return-leases-of-sessions", RETURN_LEASES_OF_SESSIONS, ["ARRAY[$session]"], ["work_items_leased"]],
  ["strike-leases-of-sessions", STRIKE_LEASES_OF_SESSIONS, ["ARRAY[$session]", "'{died}'"], ["work_items_leased"]],
  ["save-progress", SAVE_PROGRESS, ["$session", "'{a}'", "'{half way}'", "'{NULL}'"], ["work_items_leased"]],
  ["find-unshown-quarantines", FIND_UNSHOWN_QUARANTINES, [], ["work_items_unshown_quarantine"]],
  ["list-work-quarantined", listWork("QUARANTINED"), [...Array(6).fill("''"), "100"], ["work_items_struck_alone"]],
  ["renew-session", RENEW_SESSION, ["$session", "'{a,b}'"], ["work_items_leased"]],
];

test.each(STATEMENTS)(
  "planned over an empty queue, %s still uses its indexes when it grows",
  async (_, statement, values, indexes) => {
    await work.sql("TRUNCATE work_items, resources");
    const nodes = await planned(statement, values);
    expect(scansOf(nodes).filter((node) => node["Node Type"] === "Seq Scan")).toEqual([]);
    expect(nodes.map((node) => node["Index Name"])).toEqual(expect.arrayContaining(indexes));
  },
);

describe(`with ${ITEMS} due items`, () => {
  beforeAll(fill);

  test.each(STATEMENTS)("%s reads the queue through indexes only", async (_, statement, values, indexes) => {
    const nodes = await planned(statement, values);
    expect(scansOf(nodes).filter((node) => node["Node Type"] === "Seq Scan")).toEqual([]);
    expect(nodes.map((node) => node["Index Name"])).toEqual(expect.arrayContaining(indexes));
  });

  test("50 are leased by one statement, the most urgent first, in order of time", async () => {
    const items = await leaseNow(work, sessionId, 50);
    expect(items).toHaveLength(50);
    const ids = items.map((item) => Number(item.resource.id)).sort((a, b) => b - a);
    expect(ids).toEqual(Array.from({ length: 50 }, (_, i) => ITEMS - 1 - 3 * i));
    expect((await work.statements()).get("mark-leases")).toBe(1);
    // The objects came along.
    expect((await work.statements()).has("read-resources-by-key")).toBe(false);
  });
});
