/** A real store on a fresh database, and short ways to speak to it. */
import type { CommittedBatch } from "../../src/state-manager/log/change-log.js";
import { openStore, type PostgresStore } from "../../src/state-manager/store/postgres-store.js";
import { createDatabase } from "./postgres.js";

/** An open store that takes its database along when it closes. */
export interface TestStore extends PostgresStore {
  readonly url: string;
  /** Everything handed over after commit, in order. */
  readonly committed: readonly CommittedBatch[];
}

export async function openTestStore(options: { readonly logCount?: number } = {}): Promise<TestStore> {
  const { url, drop } = await createDatabase();
  const committed: CommittedBatch[] = [];
  const store = await openStore({
    databaseUrl: url,
    logCount: options.logCount,
    onCommitted: async (batch) => {
      committed.push(batch);
    },
  });
  return {
    ...store,
    url,
    committed,
    close: async () => {
      await store.close();
      await drop();
    },
  };
}
