import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { Database, Statement } from "../store/database.js";
import {
  type ItemPageRow,
  type NewestEventRow,
  READ_NEWEST_EVENT,
  REPAIR_COLLECTIONS,
  REPAIR_ITEMS,
  REPAIR_KINDS,
  REPAIR_SESSIONS,
  type RepairedRow,
} from "../store/statements/repair-times.js";
import type { ClockStep } from "./clock-watch.js";

/** Between two repairs that nothing asks for, and after one that failed. */
const INTERVAL_MS = 3_600_000;
const RETRY_MS = 10_000;

/** Items read by one statement, and the pause behind it: the database is for users first. */
const PAGE_ITEMS = 1_000;
const PAGE_PAUSE_MS = 100;

/** An event this far ahead of the clock was not written by a statement that began a little later. */
const EVENT_AHEAD_MS = 1_000;

/** What a repair stands on. */
export interface QueueRepairOptions {
  readonly database: Database;
  readonly logger: Logger;
  /** The clock was found to have been set back while no replica watched. */
  readonly onStep: (step: ClockStep) => void;
  /** Items came due earlier. */
  readonly onRepaired: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Walks the queue when the server starts, every hour, and when the database clock was set back. It takes back times that were
 * written while the clock ran ahead, and drops items that nobody will ever lease (SPEC.md, repair). Several replicas may do so at once.
 */
export class QueueRepair {
  readonly #options: QueueRepairOptions;
  readonly #stopping = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** By how much the clock was set back since the last walk began, in milliseconds. */
  #setBackMs = 0;
  #isWanted = false;
  #isOldStepSought = false;

  constructor(options: QueueRepairOptions) {
    this.#options = options;
  }

  /** Begins with what happened while no replica ran. */
  start(): void {
    this.#run();
  }

  /** Repairs what was written before the step. */
  stepped({ byMs }: ClockStep): void {
    if (byMs >= 0) return;
    this.#setBackMs -= byMs;
    this.#run();
  }

  /** Stops after the page under way; safe to call twice. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  #run(): void {
    if (this.#stopping.signal.aborted) return;
    this.#isWanted = true;
    this.#running ??= this.#walkWhileWanted().then((nextInMs) => {
      this.#running = undefined;
      clearTimeout(this.#timer);
      if (!this.#stopping.signal.aborted) this.#timer = setTimeout(() => this.#run(), nextInMs).unref();
    });
  }

  /** Returns when to walk again. */
  async #walkWhileWanted(): Promise<number> {
    while (this.#isWanted && !this.#stopping.signal.aborted) {
      this.#isWanted = false;
      let setBackMs = 0;
      try {
        if (!this.#isOldStepSought) await this.#findOldStep();
        setBackMs = this.#setBackMs;
        this.#setBackMs = 0;
        await this.#walk(setBackMs);
      } catch (error) {
        this.#setBackMs += setBackMs;
        this.#options.onError(error);
        return RETRY_MS;
      }
    }
    return INTERVAL_MS;
  }

  async #findOldStep(): Promise<void> {
    const [newest] = await this.#options.database.query<NewestEventRow>(READ_NEWEST_EVENT);
    this.#isOldStepSought = true;
    const aheadMs = Math.round(newest?.ahead_ms ?? 0);
    if (aheadMs <= EVENT_AHEAD_MS) return;
    this.#setBackMs += aheadMs;
    this.#options.onStep({ seenAt: new Date(), byMs: -aheadMs });
  }

  async #walk(setBackMs: number): Promise<void> {
    const { database, logger, onRepaired } = this.#options;
    const count = async (statement: Statement) => (await database.query<RepairedRow>(statement))[0]?.repaired ?? 0;
    const kinds = await count(REPAIR_KINDS);
    const sessions = await count(REPAIR_SESSIONS);
    const collections = await count(REPAIR_COLLECTIONS);
    const { items, dropped } = await this.#walkItems(setBackMs);
    if (kinds + sessions + collections + items + dropped === 0) return;
    logger.warn({ kinds, sessions, collections, items, dropped, setBackMs }, "work queue repaired");
    onRepaired();
  }

  async #walkItems(setBackMs: number): Promise<{ readonly items: number; readonly dropped: number }> {
    const found = { items: 0, dropped: 0 };
    let after = ["", "", "", ""];
    while (!this.#stopping.signal.aborted) {
      const values = [...after, setBackMs, PAGE_ITEMS];
      const [page] = await this.#options.database.query<ItemPageRow>(REPAIR_ITEMS, values);
      if (page === undefined) break;
      found.items += page.repaired;
      found.dropped += page.dropped;
      after = [page.resource_group, page.kind, page.namespace, page.name];
      await delay(PAGE_PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => {}); // An abort ends the loop.
    }
    return found;
  }
}
