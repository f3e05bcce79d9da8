import type { Position } from "../../resource/change.js";
import { type DomainError, hasReason } from "../../resource/errors.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { RetryDelay } from "../../shared/retry-delay.js";
import type { Metrics } from "../observability/metrics.js";
import type { BatchCache, FilterGroup } from "./batch-cache.js";
import { CatchUp } from "./catch-up.js";
import type { History } from "./history.js";
import type { InitialState } from "./initial-state.js";
import { historyReplaced } from "./listed-pages.js";
import type { ResumeTokens } from "./resume-token.js";
import { StepBuilder } from "./step.js";
import type { Tail } from "./tail.js";
import type { Wait } from "./wakeups.js";
import type { WatchBatch } from "./watch.js";

const RETRY_BASE_MS = 50;
const RETRY_MAX_MS = 1_000;
const RING = { source: "ring" } as const;

/** What all watches of a process share. */
export interface WatchContext {
  readonly tail: Tail;
  readonly history: History;
  readonly initialState: InitialState;
  readonly cache: BatchCache;
  readonly tokens: ResumeTokens;
  readonly metrics: Metrics;
  /** Every open watch adds itself, and removes itself at its end. */
  readonly sessions: Set<WatchSession>;
  /** A quiet watch says so this often, in milliseconds. */
  readonly bookmarkMs: number;
}

/** What one watch asks for. */
export interface WatchStart {
  readonly filter: ResourceFilter;
  readonly sendInitialState: boolean;
  /** Positions of this store's history, one per log. */
  readonly positions: readonly Position[];
}

/** One watch: a cursor that moves when its client takes a batch (SPEC.md, "The cursor of one watch"). */
export class WatchSession {
  readonly #context: WatchContext;
  readonly #start: WatchStart;
  readonly #signal: AbortSignal;
  readonly #catchUp: CatchUp;
  readonly #retry = new RetryDelay(RETRY_BASE_MS, RETRY_MAX_MS);
  /** Set while the watch is open. */
  #wait: Wait | undefined;
  #positions: readonly Position[];
  #token: string;
  /** Per log the tail's epoch in which a position ahead of it was last checked. */
  readonly #epochs: number[];
  #sentAt = performance.now();
  #ended: DomainError | undefined;
  #resume: (() => void) | undefined;

  constructor(context: WatchContext, start: WatchStart, signal: AbortSignal) {
    this.#context = context;
    this.#start = start;
    this.#signal = signal;
    this.#catchUp = new CatchUp(context.history, context.metrics);
    this.#positions = start.positions;
    this.#token = context.tokens.encode(start.positions);
    this.#epochs = context.tail.logs.map(({ epoch }) => epoch);
  }

  /** Ends the watch with `error` at its client's next pull. */
  end(error: DomainError): void {
    this.#ended ??= error;
    this.#wake();
  }

  /** Wakes the watch when it has been quiet for too long, and returns whether it was; to be called now and then. */
  tick(): boolean {
    const isDue = this.#isBookmarkDue();
    if (isDue) this.#wake();
    return isDue;
  }

  /** The batches; to be called once. Errors: see `WatchSource.open`. */
  async *batches(): AsyncGenerator<WatchBatch> {
    const group = this.#context.cache.join(this.#start.filter);
    const release = this.#register(group);
    try {
      this.#sentAt = performance.now();
      if (this.#start.sendInitialState) yield* this.#sendInitialState();
      yield* this.#follow(group);
    } catch (error) {
      throw hasReason(error, "LINEAGE_LOST") ? historyReplaced(error) : error;
    } finally {
      release();
    }
  }

  /** A generator whose client vanished while it was suspended may never be resumed: the signal alone must release it, too. */
  #register(group: FilterGroup): () => void {
    const { tail, sessions } = this.#context;
    sessions.add(this);
    const wait = tail.wakeups.join(this.#start.filter, (positions) => this.#goOn(positions));
    this.#wait = wait;
    const removeWatcher = tail.addWatcher();
    const release = () => {
      this.#signal.removeEventListener("abort", release);
      this.#wake();
      if (!sessions.delete(this)) return;
      wait.leave();
      removeWatcher();
      group.leave();
    };
    this.#signal.addEventListener("abort", release);
    return release;
  }

  async *#sendInitialState(): AsyncGenerator<WatchBatch> {
    for await (const { events, end } of this.#context.initialState.read(this.#start.filter, this.#positions)) {
      if (this.#isOver()) return;
      if (end !== undefined) {
        this.#positions = end;
        this.#token = this.#context.tokens.encode(end);
        yield this.#sent({ events: [...events, { type: "SYNCED" }], resumeToken: this.#token });
      } else if (events.length > 0) yield this.#sent({ events, resumeToken: "" });
      else if (this.#isBookmarkDue()) yield this.#sent(this.#context.cache.bookmark(""));
    }
  }

  async *#follow(group: FilterGroup): AsyncGenerator<WatchBatch> {
    const { tail } = this.#context;
    let isFirst = !this.#start.sendInitialState;
    while (!this.#isOver()) {
      const { version } = tail;
      const recent = this.#readRing(group);
      if (hasEvents(recent)) yield this.#sent(recent);
      // With one log the ring had it; with several, one that is read from history gets its turn while another is busy.
      const past = recent !== undefined && this.#positions.length === 1 ? undefined : await this.#readHistory();
      if (hasEvents(past)) yield this.#sent(past);
      const isSilent = !hasEvents(recent) && !hasEvents(past);
      if (isSilent && (isFirst || this.#isBookmarkDue())) {
        yield this.#sent(this.#context.cache.bookmark(this.#token));
      } else if (recent === undefined && past === undefined) await this.#waitForNews(version);
      // The filter left nothing: a long search must let others run.
      else if (isSilent) await new Promise(setImmediate);
      isFirst = false;
    }
  }

  #readRing(group: FilterGroup): WatchBatch | undefined {
    const shared = group.next(this.#positions, this.#token);
    if (shared === undefined) return undefined;
    this.#context.metrics.watchEvents.inc(RING, shared.step.scanned);
    this.#positions = shared.step.positions;
    this.#token = shared.batch.resumeToken;
    return shared.batch;
  }

  /** Reads for the first log whose ring cannot serve this watch; undefined when there is none or nothing came. */
  async #readHistory(): Promise<WatchBatch | undefined> {
    for (const [log, position] of this.#positions.entries()) {
      const place = this.#context.tail.logs[log]?.read(position, 1).type;
      try {
        if (place === "ahead") await this.#verifyAhead(log, position);
        if (place !== "missing") continue;
        const builder = new StepBuilder(this.#start.filter, this.#positions);
        await this.#catchUp.pull(builder, log, position);
        const { positions, events, scanned } = builder.result;
        if (scanned > 0) {
          this.#retry.reset();
          this.#positions = positions;
          this.#token = this.#context.tokens.encode(positions);
          return { events, resumeToken: this.#token };
        }
      } catch (error) {
        if (!hasReason(error, "STORE_UNAVAILABLE")) throw error;
      }
      // Nothing, although the ring has more, or PostgreSQL is away: the tail or PostgreSQL needs a moment.
      await this.#retry.wait();
    }
    return undefined;
  }

  /** The tail may just be behind, or the position may be of a lost history (W4): asked after a reset, and when idle. */
  async #verifyAhead(log: number, position: Position): Promise<void> {
    const epoch = this.#context.tail.logs[log]?.epoch ?? 0;
    if (epoch === this.#epochs[log] && !this.#isBookmarkDue()) return;
    await this.#context.history.verify(log, position);
    this.#epochs[log] = epoch;
  }

  /** Resolves at the next news since `version`, or when woken for another reason. */
  #waitForNews(version: number): Promise<void> {
    const { tail } = this.#context;
    if (tail.version !== version || this.#isOver()) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resume = resolve;
      // Nothing happens between this and the look at the version, so no change is left out.
      if (this.#isAtHeads()) this.#wait?.forMatch();
      else this.#wait?.forAny();
    });
  }

  #isAtHeads(): boolean {
    return this.#context.tail.heads.every(({ revision, fingerprint }, log) => {
      const position = this.#positions[log];
      return position?.revision === revision && position.fingerprint === fingerprint;
    });
  }

  #wake(): void {
    this.#goOn(this.#wait?.stop());
  }

  /** Ends the wait; nothing up to `positions` concerns this watch, so it goes on from there. */
  #goOn(positions: readonly Position[] | undefined): void {
    if (positions?.some(({ revision }, log) => revision !== this.#positions[log]?.revision)) {
      this.#positions = positions;
      this.#token = this.#context.tokens.encode(positions);
    }
    this.#retry.cut();
    this.#resume?.();
    this.#resume = undefined;
  }

  #sent(batch: WatchBatch): WatchBatch {
    this.#sentAt = performance.now();
    return batch;
  }

  #isBookmarkDue(): boolean {
    return performance.now() - this.#sentAt >= this.#context.bookmarkMs;
  }

  #isOver(): boolean {
    if (this.#ended !== undefined) throw this.#ended;
    return this.#signal.aborted;
  }
}

function hasEvents(batch: WatchBatch | undefined): batch is WatchBatch {
  return batch !== undefined && batch.events.length > 0;
}
