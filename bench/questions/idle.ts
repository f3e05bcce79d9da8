import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { sharedPostgresVariable } from "../../test/support/postgres.js";
import type { Figures, Question } from "../compare.js";
import { SseWatchers } from "../load/sse-watchers.js";
import { memoryMb, processorMs } from "../process-usage.js";

const WATCHERS = 2_000;
/** A round is longer than others: what happens every few seconds must fit in. */
const STRETCH = 7;

export const idle: Question = {
  name: "idle",
  asks: "What does a server cost that nobody asks anything, and a watcher that sees nothing? Statements are PostgreSQL's count of transactions in the server's database, its own housekeeping included; watchers are the growth of a fresh server.",
  async *compare(stage) {
    const DATABASE_URL = await stage.database();
    const { program } = await stage.stateManager({ DATABASE_URL });
    const round = async (seconds: number): Promise<Figures> => {
      const [statements, processor] = [await transactions(DATABASE_URL), processorMs(program.pid)];
      await sleep(seconds * STRETCH * 1000);
      const made = (await transactions(DATABASE_URL)) - statements;
      const used = processorMs(program.pid) - processor;
      return { "statements a second": made / (seconds * STRETCH), "% of a core": used / (seconds * STRETCH * 10) };
    };
    yield { what: "idle server", contenders: [{ who: "state-manager", round }] };

    const ofWatchers = async (): Promise<Figures> => {
      const server = await stage.stateManager();
      const watchers = new SseWatchers();
      await watchers.open(server.url, 1); // Loads what every watch needs.
      const before = memoryMb(server.program.pid);
      await watchers.open(server.url, WATCHERS);
      const after = memoryMb(server.program.pid);
      watchers.close();
      await server.program.kill();
      return { "KB each": ((after - before) * 1024) / WATCHERS };
    };
    yield {
      what: `${WATCHERS.toLocaleString("en-US")} idle SSE watchers`,
      contenders: [{ who: "state-manager", round: ofWatchers }],
    };
  },
};

/** Committed in a database so far; asked in another one, so that asking does not count. */
async function transactions(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: process.env[sharedPostgresVariable] });
  await client.connect();
  try {
    const { rows } = await client.query<{ xact_commit: string }>(
      "SELECT xact_commit FROM pg_stat_database WHERE datname = $1",
      [new URL(databaseUrl).pathname.slice(1)],
    );
    return Number(rows[0]?.xact_commit);
  } finally {
    await client.end();
  }
}
