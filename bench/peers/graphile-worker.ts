import { Logger, run, runMigrations, type TaskList } from "graphile-worker";
import pg from "pg";
import { BATCH } from "../load/lanes.js";
import type { Backlog } from "../questions/queue.js";
import type { Stage } from "../stage.js";

const TASK = "pass";
const ADD_JOBS =
  "SELECT graphile_worker.add_job($1, json_build_object('n', n)) FROM generate_series($2::int, $3::int) n";
const logger = new Logger(() => () => {});

/** graphile-worker on a database of its own, which runs up to 50 jobs at a time and completes each by itself. */
export class Graphile {
  readonly #connectionString: string;
  readonly #pool: pg.Pool;

  private constructor(connectionString: string, pool: pg.Pool) {
    this.#connectionString = connectionString;
    this.#pool = pool;
  }

  static async open(stage: Stage): Promise<Graphile> {
    const connectionString = await stage.database();
    await runMigrations({ connectionString, logger });
    const pool = new pg.Pool({ connectionString });
    stage.onClear(() => pool.end());
    return new Graphile(connectionString, pool);
  }

  /** Adds jobs numbered from `first` to `last`. */
  async add(first: number, last: number): Promise<void> {
    await this.#pool.query({ name: "add", text: ADD_JOBS, values: [TASK, first, last] });
  }

  /** Starts a worker; what it returns stops it, once running jobs are completed. */
  async work(act: (n: number) => Promise<void> | void): Promise<() => Promise<void>> {
    // graphile-worker cannot know what the payload of a job is.
    const taskList: TaskList = { [TASK]: (payload) => act((payload as { n: number }).n) };
    const options = { concurrency: BATCH, maxPoolSize: 20, noHandleSignals: true, logger };
    const runner = await run({ ...options, connectionString: this.#connectionString, taskList });
    return () => runner.stop();
  }
}

/** The worker is started before the clock: its first jobs wait for that. */
export async function graphilePasses(stage: Stage): Promise<Backlog> {
  const graphile = await Graphile.open(stage);
  return async (count) => {
    let worked = 0;
    const [started, clock, finished] = [new Gate(), new Gate(), new Gate()];
    await graphile.add(1, count);
    const stop = await graphile.work(async () => {
      started.open();
      await clock.isOpen;
      if (++worked === count) finished.open();
    });
    await started.isOpen;
    return async () => {
      clock.open();
      await finished.isOpen;
      await stop();
    };
  };
}

/** Something to wait for. */
class Gate {
  open: () => void = () => {};
  readonly isOpen = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}
