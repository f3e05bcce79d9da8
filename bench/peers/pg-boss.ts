import PgBoss from "pg-boss";
import { BATCH, inLanes, LANES } from "../load/lanes.js";
import { STATUS } from "../load/status.js";
import type { Backlog } from "../questions/queue.js";
import type { Stage } from "../stage.js";

const QUEUE = "passes";
/** As many connections as the baseline has. */
const POOL_SIZE = 20;

/** Jobs fetched 50 at a time, each completed by itself with the status as its output. */
export async function pgBossPasses(stage: Stage): Promise<Backlog> {
  const boss = new PgBoss({
    connectionString: await stage.database(),
    max: POOL_SIZE,
    supervise: false,
    schedule: false,
  });
  boss.on("error", () => {}); // A failed call rejects too.
  await boss.start();
  stage.onClear(() => boss.stop({ graceful: false }));
  await boss.createQueue(QUEUE);
  const output = JSON.parse(STATUS);
  return async (count) => {
    await boss.insert(Array.from({ length: count }, (_, n) => ({ name: QUEUE, data: { n } })));
    return () =>
      inLanes(count, LANES, async () => {
        const jobs = await boss.fetch(QUEUE, { batchSize: BATCH });
        await Promise.all(jobs.map(({ id }) => boss.complete(QUEUE, id, output)));
        return jobs.length;
      });
  };
}
