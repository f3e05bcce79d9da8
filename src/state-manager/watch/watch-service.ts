import type { Logger } from "pino";
import type { Change, Position } from "../../resource/change.js";
import { DomainError, hasReason, invalidField } from "../../resource/errors.js";
import { abortable } from "../../shared/abort.js";
import type { DurableChangeLog, LogExtent } from "../log/change-log.js";
import type { StreamKeys } from "../log/stream-keys.js";
import type { Metrics } from "../observability/metrics.js";
import type { RedisConnections } from "../redis-connection.js";
import type { ResourceReader, StoreIdentity } from "../store/store.js";
import { BatchCache } from "./batch-cache.js";
import { History } from "./history.js";
import { InitialState } from "./initial-state.js";
import { foreign, ResumeTokens } from "./resume-token.js";
import type { RingLimits } from "./ring-buffer.js";
import { Tail } from "./tail.js";
import type { WatchBatch, WatchRequest, WatchSource } from "./watch.js";
import { type WatchContext, WatchSession } from "./watch-session.js";

const SETTLE_TIMEOUT_MS = 5_000;
/** Bookmarks sent before others have their turn: watches that opened together are due together, 5,000 of them for 0.1 s. */
const BOOKMARKS_PER_TURN = 64;

/** What the watch room works with. */
export interface WatchServiceOptions {
  readonly identity: StoreIdentity;
  readonly durable: DurableChangeLog;
  readonly reader: ResourceReader;
  /** Undefined: fed by this process's commits and from PostgreSQL. */
  readonly redis?: { readonly connections: RedisConnections; readonly keys: StreamKeys } | undefined;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** A quiet watch sends a BOOKMARK this often, in milliseconds; 5,000 by default. */
  readonly bookmarkMs?: number | undefined;
  /** What the ring of each log keeps; 8,192 changes and 64 MiB by default. */
  readonly ringLimits?: RingLimits | undefined;
  /** Called when Redis was found to hold a history that PostgreSQL no longer has: other projections there are as wrong. */
  readonly onLineageLost?: (() => void) | undefined;
  /** Called when a log has news. */
  readonly onAdvance?: (() => void) | undefined;
}

/** Streams changes to watchers: the port of the watch room. */
export class WatchService implements WatchSource {
  readonly #context: WatchContext;
  readonly #sessions = new Set<WatchSession>();
  readonly #ticker: NodeJS.Timeout;
  #isStopped = false;
  #isTicking = false;

  private constructor(options: WatchServiceOptions, tail: Tail) {
    const { durable, reader, metrics, identity, bookmarkMs = 5_000 } = options;
    const tokens = new ResumeTokens(identity);
    const history = new History(tail.redisLog, durable);
    const initialState = new InitialState({ reader, tail, history, metrics });
    const cache = new BatchCache(tail, tokens);
    this.#context = { tail, history, initialState, cache, tokens, metrics, sessions: this.#sessions, bookmarkMs };
    // One timer for all watches; a bookmark may be late by its period.
    this.#ticker = setInterval(() => void this.#tick(), Math.min(1_000, bookmarkMs / 4)).unref();
  }

  /** Begins to follow the logs. Rejects when PostgreSQL does not answer. */
  static async start(options: WatchServiceOptions): Promise<WatchService> {
    const { durable, redis, metrics, logger, ringLimits, onLineageLost, onAdvance } = options;
    const tail = await Tail.start({ durable, redis, metrics, logger, ringLimits, onLineageLost, onAdvance });
    return new WatchService(options, tail);
  }

  /** Changes this process has just committed: watchers here see them without a detour. */
  offer(changes: readonly Change[]): void {
    this.#context.tail.offer(changes);
  }

  /** How far this process knows each log. */
  get heads(): readonly Position[] {
    return this.#context.tail.logs.map(({ head }) => head);
  }

  async open(request: WatchRequest, signal: AbortSignal): Promise<AsyncIterable<WatchBatch>> {
    const { tail, tokens } = this.#context;
    if (this.#isStopped) throw shuttingDown();
    const { filter, sendInitialState, resumeToken } = request;
    if (sendInitialState && resumeToken !== undefined) {
      throw invalidField("resume_token", "must be empty when send_initial_state is set: choose one");
    }
    const asked = resumeToken === undefined ? undefined : tokens.decode(resumeToken);
    const extents = await abortable(tail.refresh(), signal);
    const heads = extents.map(({ head }) => head);
    if (asked !== undefined) await abortable(this.#assertInHistory(asked, extents), signal);
    // Only now is what the rings hold known to be of PostgreSQL's history, whatever was restored a moment ago (I4).
    await abortable(this.#settle(heads), signal);
    if (this.#isStopped) throw shuttingDown();
    const session = new WatchSession(this.#context, { filter, sendInitialState, positions: asked ?? heads }, signal);
    return session.batches();
  }

  tokenFor(heads: readonly Position[]): string {
    return this.#context.tokens.encode(heads);
  }

  /** Ends all watches with SHUTTING_DOWN. Safe to call twice. */
  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearInterval(this.#ticker);
    for (const session of this.#sessions) session.end(shuttingDown());
    await this.#context.tail.stop();
  }

  /** Waits for the rings, but not for a PostgreSQL that went away in between. */
  async #settle(heads: readonly Position[]): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const text = "the change log cannot be read; retry with back-off";
      timer = setTimeout(() => reject(new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", text)), SETTLE_TIMEOUT_MS);
    });
    try {
      await Promise.race([this.#context.tail.settle(heads), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    let due = 0;
    for (const session of this.#sessions) {
      if (session.tick() && ++due % BOOKMARKS_PER_TURN === 0) await new Promise(setImmediate);
    }
    this.#isTicking = false;
  }

  /** Refuses positions that PostgreSQL does not know. A position that is a head needs no further look. */
  async #assertInHistory(positions: readonly Position[], extents: readonly LogExtent[]): Promise<void> {
    const { history } = this.#context;
    const unknown = [...positions.entries()].filter(([log, { revision, fingerprint }]) => {
      const head = extents[log]?.head;
      return head?.revision !== revision || head.fingerprint !== fingerprint;
    });
    try {
      await Promise.all(unknown.map(([log, position]) => history.verify(log, position)));
    } catch (error) {
      if (!hasReason(error, "LINEAGE_LOST")) throw error;
      throw foreign(
        "the resume token is of a history this store no longer has (it was restored or failed over)",
        error,
      );
    }
  }
}

function shuttingDown(): DomainError {
  return new DomainError(
    "UNAVAILABLE",
    "SHUTTING_DOWN",
    "the server is shutting down; resume elsewhere with the last token",
  );
}
