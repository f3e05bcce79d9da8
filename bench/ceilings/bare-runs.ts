import { randomUUID } from "node:crypto";
import { logOf } from "../../src/resource/log-of.js";
import { BatchDraft } from "../../src/state-manager/store/batch-draft.js";
import { BEGIN, type BoundStatement, COMMIT, Database } from "../../src/state-manager/store/database.js";
import { EventPartitions } from "../../src/state-manager/store/event-partitions.js";
import { migrate } from "../../src/state-manager/store/migrate.js";
import { writesOf } from "../../src/state-manager/store/write-draft.js";
import type { Contender } from "../compare.js";
import { keyOfSeeded, widget } from "../load/widgets.js";
import type { Stage } from "../stage.js";

/** As many as a run of ApplyResources has. */
const RUN = 500;
/** Partitions are numbered as PostgreSQL rounds hours. */
const HOUR_MS = 3_600_000;
const ONE_LOG = 1;

/** What the transaction's events are stamped with; the read of the log's end sets it otherwise. */
const FINGERPRINT: BoundStatement = {
  statement: { name: "bare-fingerprint", text: "SELECT set_config('reconcile.fingerprint', $1, true)" },
  values: ["1"],
};

/**
 * The ceiling of ApplyResources: one bare connection inserts the same rows into the same tables and indexes, a run to a
 * transaction. What is sent has been encoded before the clock starts; nothing is read, locked, decided, published or answered.
 */
export async function bareRuns(stage: Stage, count: number): Promise<Contender> {
  const url = await stage.database();
  await migrate(url, { logCount: ONE_LOG });
  const database = new Database({ url, poolSize: 1 });
  stage.onClear(() => database.close());
  await new EventPartitions(database).ensure();
  let [id, revision] = [0n, 0n];
  const nextRun = () => {
    const now = new Date();
    const draft = new BatchDraft({
      logCount: ONE_LOG,
      ends: new Map([[logOf("s0", ONE_LOG), { revision, fingerprint: revision }]]),
      states: new Map(),
      owners: new Map(),
      fingerprint: 1n,
      context: { now, newId: () => ++id, newUid: randomUUID, random: Math.random },
    });
    const labels = new Map(Object.entries(widget.labels));
    for (let n = 0; n < RUN; n++) {
      const specJson = JSON.stringify({ write: `bare-${revision}-${n}`, ...widget.spec });
      const key = keyOfSeeded(`bare-${revision}-${n}`);
      draft.apply({
        type: "apply",
        input: { key, shardId: "s0", labels, annotations: new Map(), finalizers: [], specJson },
      });
    }
    revision += BigInt(RUN);
    const writes = writesOf(draft, ONE_LOG, { now, bucket: Math.round(now.getTime() / HOUR_MS) });
    return [{ statement: BEGIN, values: [] }, FINGERPRINT, ...writes, { statement: COMMIT, values: [] }];
  };
  return {
    who: "bare inserts",
    async round(seconds) {
      let [inserted, busyMs] = [0, 0];
      while (busyMs < seconds * 1000) {
        const runs = Array.from({ length: Math.ceil(count / RUN) }, nextRun);
        const startedAt = performance.now();
        for (const run of runs) await database.queryAll(run);
        busyMs += performance.now() - startedAt;
        inserted += runs.length * RUN;
      }
      return { "resources/s": (inserted * 1000) / busyMs };
    },
  };
}
