import { type KindRef, kindId, type ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import { PRIORITY, type Priority, type WorkReason } from "../../resource/work.js";
import type { DueHint } from "../log/change-log.js";
import type { Connection, Database } from "../store/database.js";
import { resourceFromRow } from "../store/resource-row.js";
import { type MarkedRow, PEEK, type PeekRow, PROMOTE, type PromotedRow } from "../store/statements/lease-work.js";
import type { EndedSessionRow } from "../store/statements/sessions.js";
import {
  type CheckpointRow,
  DROP_GHOSTS,
  type DueRow,
  FAIL_LEASE,
  READ_CHECKPOINTS,
  RETURN_LEASES,
  RETURN_LEASES_OF_SESSIONS,
  SAVE_PROGRESS,
  STRIKE_LEASES_OF_SESSIONS,
} from "../store/statements/work-items.js";
import { type Choice, chooseLook } from "./choose-look.js";
import type { KnownSession } from "./sessions.js";
import { type Taken, takeLeases, takenLeases } from "./take-leases.js";
import type { Turns } from "./turns.js";

/** An item just leased. */
export interface MarkedItem {
  readonly key: ResourceKey;
  readonly resourceId: bigint;
  /** As it was when the lease began; undefined when it was too large to be read along, or is gone. */
  readonly resource: Resource | undefined;
  readonly priority: Priority;
  readonly leaseToken: string;
  /** Whether it was struck, and is all its session holds. */
  readonly isSolo: boolean;
  /** Failed passes in a row before this one. */
  readonly failures: number;
  readonly deadline: Date;
  readonly reason: WorkReason;
  readonly message: string;
  /** What an earlier holder said of how far it came. */
  readonly progress: string;
  readonly hasCheckpoint: boolean;
  /** From due to leased, in milliseconds. */
  readonly waitedMs: number;
  /** `performance.now()` from before the look that leased it: the lease is not older. */
  readonly lookedAt: number;
}

/** How far one pass has come; validated by `validate-progress.ts`. */
export interface Progress {
  readonly leaseToken: string;
  /** Empty: unchanged. */
  readonly message: string;
  /** Undefined: unchanged; empty: none. */
  readonly checkpoint: Uint8Array | undefined;
}

/** A look for work. */
export interface LookRequest {
  readonly session: KnownSession;
  readonly kind: KindRef;
  readonly maxItems: number;
  /** Of the kind; takes note of what is leased. */
  readonly turns: Turns;
  /** Something is said to be due: then it is asked for and leased in one round trip. In vain, that costs a transaction. */
  readonly isExpected: boolean;
}

/** What a look for work found. */
export type Look =
  | { readonly type: "leased"; readonly items: readonly MarkedItem[] }
  | Exclude<Choice, { readonly type: "turns" | "solo" }>
  /** The session is over. */
  | { readonly type: "gone" };

/**
 * Something is due, yet nothing could be leased: others were faster, or a transaction holds the items. Nobody rings when that
 * one leaves them as they were (nothing changed, refused, rolled back), so the look is repeated.
 */
const LOCKED_RETRY_MS = 50;

/** All classes, the most urgent first. */
const CLASSES: readonly Priority[] = Object.values(PRIORITY);

/** Kinds remembered as limited; beyond, all are forgotten, and freed leases are found at the pulse until the next look. */
const MAX_LIMITED_KINDS = 10_000;

/** Takes and ends leases. Only the database clock counts. */
export class LeaseQuery {
  readonly #database: Database;
  readonly #limitedKinds = new Set<string>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Leases due items of a kind to a session; one statement when there are none and none is expected. */
  async look(request: LookRequest): Promise<Look> {
    const { session, kind, maxItems, turns } = request;
    const lookedAt = performance.now();
    const { peek, taken: early } = request.isExpected ? await this.#peekAndTake(request) : await this.#peek(request);
    if (peek === undefined) return { type: "gone" };
    this.#noteLimit(kind, peek.is_kind_limited);
    if (early !== undefined && early.rows.length > 0) {
      // What came due takes part in the next look. Should that fail, nobody has seen these leases.
      const ready = await this.#promote(kind, peek).catch(async (error: unknown) => {
        const tokens = early.rows.map((row) => row.lease_token);
        await this.giveBack(session.sessionId, tokens).catch(() => []);
        throw error;
      });
      return leased(request, early, ready, lookedAt);
    }
    const choice = chooseLook(peek, turns.isAfterSolo(session));
    if (choice.type !== "turns" && choice.type !== "solo") return choice;
    const ready = choice.type === "turns" ? await this.#promote(kind, peek) : [];
    const items = Math.min(maxItems, peek.room, peek.kind_room ?? maxItems, Math.floor(peek.tokens ?? maxItems));
    const statements = takeLeases({
      ...{ sessionId: session.sessionId, kind, maxItems, isKindLimited: peek.is_kind_limited },
      ...{ steps: ready.length === 0 ? [] : turns.plan(ready, items), isUnlessStruck: false },
    });
    const taken = takenLeases(await this.#database.queryAll(statements));
    if (taken === undefined) return { type: "gone" };
    if (taken.rows.length === 0) return { type: "nothing", nextInMs: LOCKED_RETRY_MS };
    return leased(request, taken, ready, lookedAt);
  }

  async #peek({ session, kind }: LookRequest): Promise<Peeked> {
    const [peek] = await this.#database.query<PeekRow>(PEEK, [session.sessionId, kind.resourceGroup, kind.kind]);
    return { peek, taken: undefined };
  }

  /**
   * What PEEK would decide is not known yet, so this takes nothing where it could decide otherwise: while a struck item is due. All
   * other limits hold by the statement that takes.
   */
  async #peekAndTake({ session: { sessionId }, kind, maxItems, turns }: LookRequest): Promise<Peeked> {
    const peek = { statement: PEEK, values: [sessionId, kind.resourceGroup, kind.kind] };
    const statements = takeLeases({
      ...{ sessionId, kind, maxItems, isKindLimited: this.isLimited(kind) },
      ...{ steps: turns.plan(CLASSES, maxItems), isUnlessStruck: true },
    });
    const answers = await this.#database.queryAll([peek, ...statements]);
    return { peek: answers[0]?.[0] as PeekRow | undefined, taken: takenLeases(answers) };
  }

  /** Whether the leases of the kind were limited when this replica looked last: then the end of one lets others look again. */
  isLimited(kind: KindRef): boolean {
    return this.#limitedKinds.has(kindId(kind));
  }

  /** Makes leases due again that no worker has seen, as if they had not been taken. */
  async giveBack(sessionId: string, tokens: readonly string[]): Promise<DueHint[]> {
    return toDueHints(await this.#database.query<DueRow>(RETURN_LEASES, [sessionId, tokens, null]));
  }

  /** Returns leases that their worker does not know of, or not any more. */
  async returnLost(sessionId: string, tokens: readonly string[]): Promise<DueHint[]> {
    return toDueHints(await this.#database.query<DueRow>(RETURN_LEASES, [sessionId, tokens, "LEASE_RETURNED"]));
  }

  /** Removes items whose resource is not there; a lease whose item knows better stays, to be given back. */
  async drop(sessionId: string, tokens: readonly string[]): Promise<void> {
    await this.#database.query(DROP_GHOSTS, [sessionId, tokens]);
  }

  /** Stores how far passes have come; of leases the session lost nothing is stored. */
  async saveProgress(sessionId: string, progress: readonly Progress[]): Promise<void> {
    const values = [
      progress.map(({ leaseToken }) => leaseToken),
      progress.map(({ message }) => message),
      progress.map(({ checkpoint }) => checkpoint ?? null),
    ];
    await this.#database.query(SAVE_PROGRESS, [sessionId, ...values]);
  }

  /** The checkpoints that come with leases of the session, by token. */
  async checkpoints(sessionId: string, tokens: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const rows = await this.#database.query<CheckpointRow>(READ_CHECKPOINTS, [sessionId, tokens]);
    return new Map(rows.map((row) => [row.lease_token, row.checkpoint]));
  }

  /** Ends a lease as a failed pass. */
  async fail(sessionId: string, token: string, error: string): Promise<DueHint[]> {
    return toDueHints(await this.#database.query<DueRow>(FAIL_LEASE, [sessionId, token, error]));
  }

  /** The classes with ready items, after what came due was made ready. */
  async #promote(kind: KindRef, { ready, scheduled_in_ms: inMs }: PeekRow): Promise<readonly Priority[]> {
    if (inMs === null || inMs > 0) return ready;
    const promoted = await this.#database.query<PromotedRow>(PROMOTE, [kind.resourceGroup, kind.kind]);
    return [...new Set([...ready, ...promoted.map(({ priority }) => priority)])].sort((a, b) => a - b);
  }

  #noteLimit(kind: KindRef, isLimited: boolean): void {
    if (this.#limitedKinds.size >= MAX_LIMITED_KINDS) this.#limitedKinds.clear();
    if (isLimited) this.#limitedKinds.add(kindId(kind));
    else this.#limitedKinds.delete(kindId(kind));
  }
}

interface Peeked {
  readonly peek: PeekRow | undefined;
  readonly taken: Taken | undefined;
}

/** Returns all leases of sessions that ended, in the transaction that ended them but in a statement of its own. */
export async function returnLeasesOf(connection: Connection, sessionIds: readonly string[]): Promise<DueHint[]> {
  if (sessionIds.length === 0) return [];
  return toDueHints(await connection.query<DueRow>(RETURN_LEASES_OF_SESSIONS, [sessionIds]));
}

/**
 * Returns all leases of workers that died, and strikes what they held; otherwise as `returnLeasesOf`. `how` completes "worker
 * name/instance died: ".
 */
export async function strikeLeasesOf(
  connection: Connection,
  dead: readonly EndedSessionRow[],
  how: string,
): Promise<DueHint[]> {
  if (dead.length === 0) return [];
  const ids = dead.map((row) => row.session_id);
  const deaths = dead.map((row) => `worker ${row.reconciler}/${row.instance_id} died: ${how}`);
  return toDueHints(await connection.query<DueRow>(STRIKE_LEASES_OF_SESSIONS, [ids, deaths]));
}

/** The doorbell's cue of what a statement made due. */
export function toDueHints(rows: readonly DueRow[]): DueHint[] {
  return rows.map((row) => ({ resourceGroup: row.resource_group, kind: row.kind, inMs: row.in_ms }));
}

function leased(
  { session, kind, turns }: LookRequest,
  taken: Taken,
  ready: readonly Priority[],
  lookedAt: number,
): Look {
  const resources = new Map(taken.resources.map((row) => [row.id, resourceFromRow(row)]));
  const items = taken.rows.map((row) => toMarkedItem(kind, row, resources.get(row.resource_id), lookedAt));
  turns.served(session, ready, items);
  return { type: "leased", items };
}

function toMarkedItem(kind: KindRef, row: MarkedRow, resource: Resource | undefined, lookedAt: number): MarkedItem {
  return {
    key: { resourceGroup: kind.resourceGroup, kind: kind.kind, namespace: row.namespace, name: row.name },
    resourceId: row.resource_id,
    resource,
    priority: row.priority,
    leaseToken: row.lease_token,
    isSolo: row.lease_is_solo,
    failures: row.failures,
    deadline: row.lease_deadline,
    reason: row.reason,
    message: row.message,
    progress: row.progress,
    hasCheckpoint: row.has_checkpoint,
    waitedMs: row.waited_ms,
    lookedAt,
  };
}
