import type { KindRef } from "../../resource/key.js";
import type { DueHint } from "../log/change-log.js";
import type { Database } from "../store/database.js";
import { PULSE, type PulseRow } from "../store/statements/work-items.js";

/** The longest that a lost ring goes unnoticed by a Lease call that waits. */
const INTERVAL_MS = 5_000;

/** While no call waits: the longest that what other replicas left undone when they died goes unnoticed. */
const RESTING_INTERVAL_MS = 10_000;

/** Beats are this far apart at least, whatever is found. */
const MIN_INTERVAL_MS = 50;

/** The database clock decides expiry; looking a little later saves a second look. */
const SLACK_MS = 5;

/** What the pulse may find to do. */
export interface PulseActions {
  /** Kinds with waiting Lease calls. */
  readonly waitingKinds: () => readonly KindRef[];
  /** Work of these kinds is, or comes, due. */
  readonly onDue: (hints: readonly DueHint[]) => void;
  /** Something has expired. */
  readonly onExpired: () => Promise<void>;
  /** A sweep is due; starts it and returns. */
  readonly onSweepDue: () => void;
  /** A resource is quarantined and does not say so yet. */
  readonly onQuarantined: () => Promise<void>;
  /** Children of owners on their way out are to be dealt with; starts it and returns. */
  readonly onCollectionDue: () => void;
  /** The database clock, and this process's monotonic clock before and after it was asked. */
  readonly onClock: (databaseMs: number, sentAt: number, answeredAt: number) => void;
  /** Whatever is to be written now and then; resolves with the milliseconds until there is more, Infinity for nothing. */
  readonly onBeat: () => Promise<number>;
  /** A beat failed; the next one tries again. */
  readonly onError: (error: unknown) => void;
}

/**
 * The one regular statement of an idle replica: what expires next, which sweep or collection of children is due, what the waiting
 * calls wait for. It acts only on need, and beats earlier when something is known to expire earlier.
 */
export class Pulse {
  readonly #database: Database;
  readonly #actions: PulseActions;
  #timer: NodeJS.Timeout | undefined;
  #beatsAt = Number.POSITIVE_INFINITY;
  #beating: Promise<void> | undefined;
  #isStopped = false;

  constructor(database: Database, actions: PulseActions) {
    this.#database = database;
    this.#actions = actions;
  }

  /** Beats at once: sessions may have expired while no replica ran. */
  start(): void {
    this.expect(0);
  }

  /** A Lease call begins to wait: its work is found within an interval, whatever rings are lost. */
  wake(): void {
    this.expect(INTERVAL_MS);
  }

  /** Something is to be seen in `inMs` milliseconds: the next beat is not later. */
  expect(inMs: number): void {
    const at = performance.now() + inMs;
    if (this.#isStopped || at >= this.#beatsAt) return;
    clearTimeout(this.#timer);
    this.#beatsAt = at;
    this.#timer = setTimeout(() => {
      this.#beatsAt = Number.POSITIVE_INFINITY;
      if (this.#beating !== undefined) this.expect(MIN_INTERVAL_MS);
      else this.#beating = this.#beat();
    }, inMs);
  }

  /** Stops after the beat under way; safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#beating;
  }

  async #beat(): Promise<void> {
    let nextInMs = INTERVAL_MS;
    try {
      nextInMs = await this.#lookAndAct();
    } catch (error) {
      this.#actions.onError(error);
    }
    this.#beating = undefined;
    this.expect(nextInMs);
  }

  /** Returns when to beat again. */
  async #lookAndAct(): Promise<number> {
    const { waitingKinds, onDue, onExpired, onSweepDue, onQuarantined, onCollectionDue, onClock, onBeat } =
      this.#actions;
    const kinds = waitingKinds();
    const values = [kinds.map((kind) => kind.resourceGroup), kinds.map((kind) => kind.kind)];
    const sentAt = performance.now();
    const rows = await this.#database.query<PulseRow>(PULSE, values);
    if (rows[0] !== undefined) onClock(rows[0].now_ms, sentAt, performance.now());
    onDue(rows.flatMap(toDueHint));
    const intervalMs = kinds.length > 0 ? INTERVAL_MS : RESTING_INTERVAL_MS;
    const expiryInMs = rows[0]?.expiry_in_ms ?? intervalMs;
    // What was expired may have been one of many: then the next beat comes soon.
    if (expiryInMs <= 0) await onExpired();
    // A sweep takes its time and brings the next beat forward itself.
    const sweepInMs = rows[0]?.sweep_in_ms ?? intervalMs;
    if (sweepInMs <= 0) onSweepDue();
    if (rows[0]?.has_unshown_quarantine) await onQuarantined();
    const collectionInMs = rows[0]?.collection_in_ms ?? intervalMs;
    if (collectionInMs <= 0) onCollectionDue();
    const writeInMs = await onBeat();
    const nextInMs = Math.min(
      ...[intervalMs, expiryInMs + SLACK_MS, writeInMs + SLACK_MS],
      ...[sweepInMs, collectionInMs].map(untilNext),
    );
    return Math.max(MIN_INTERVAL_MS, nextInMs);
  }
}

/** What was found due is being seen to. */
function untilNext(inMs: number): number {
  return inMs <= 0 ? INTERVAL_MS : inMs + SLACK_MS;
}

function toDueHint({ resource_group, kind, due_in_ms }: PulseRow): DueHint[] {
  // The outer join's empty row: nobody waits, or nothing is queued.
  if (resource_group === null || kind === null || due_in_ms === null) return [];
  return [{ resourceGroup: resource_group, kind, inMs: due_in_ms }];
}
