import pg from "pg";
import type { Question } from "../compare.js";
import { openLoop } from "../load/node-load.js";
import { statePasses } from "../load/state-passes.js";
import { seed, updates } from "../load/widgets.js";
import type { Stage } from "../stage.js";
import { backlogContender } from "./queue.js";

const RATE = 500;
const HOLD_SECONDS = 60;

export const snapshot: Question = {
  name: "snapshot",
  asks: `What does a forgotten transaction cost, which keeps PostgreSQL from removing what ${RATE} updates a second leave behind? The peer is a store that had the same updates and none; its transaction is held before and while it is measured.`,
  async *compare(stage) {
    const seconds = stage.size(HOLD_SECONDS);
    const stores: { readonly who: string; readonly url: string; readonly databaseUrl: string }[] = [];
    for (const who of ["held", "none"]) {
      const databaseUrl = await stage.database();
      const { url } = await stage.stateManager({ DATABASE_URL: databaseUrl });
      await seed(url);
      if (who === "held") await holdSnapshot(stage, databaseUrl);
      stores.push({ who, url, databaseUrl });
    }
    await Promise.all(stores.map(({ url }) => openLoop(updates(url), RATE, seconds)));
    yield {
      what: `update, ${RATE}/s (open loop), a snapshot held for ${seconds} s`,
      contenders: stores.map(({ who, url, databaseUrl }) => ({
        who,
        round: async (seconds) => ({
          ...(await openLoop(updates(url), RATE, seconds)),
          "MB of resources and work": await tableMb(databaseUrl),
        }),
      })),
    };
    yield {
      what: `passes, batches of 50, a snapshot held for ${seconds} s`,
      contenders: stores.map(({ who, url }) => backlogContender(who, 1_000, statePasses(stage, url))),
    };
  },
};

/** In the database itself: elsewhere it would hold nothing back. */
async function holdSnapshot(stage: Stage, connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  stage.onClear(() => client.end());
  await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
  await client.query("SELECT FROM resources LIMIT 1");
}

async function tableMb(connectionString: string): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ mb: number }>(
      "SELECT (pg_total_relation_size('resources') + pg_total_relation_size('work_items')) / 1048576.0::float8 AS mb",
    );
    return rows[0]?.mb ?? 0;
  } finally {
    await client.end();
  }
}
