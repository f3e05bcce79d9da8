import { type KindRef, kindId, type ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import type { Priority, WorkReason } from "../../resource/work.js";
import type { DueHint } from "../log/change-log.js";
import { BEGIN, COMMIT, type Connection, type Database } from "../store/database.js";
import { type ResourceRow, resourceFromRow } from "../store/resource-row.js";
import {
  MARK_SOLO,
  MARK_TURNS,
  type MarkedRow,
  PEEK,
  type PeekRow,
  PROMOTE,
  type PromotedRow,
  READ_LEASED,
} from "../store/statements/lease-work.js";
import { LOCK_KIND } from "../store/statements/reconciled-kinds.js";
import { type EndedSessionRow, LOCK_SESSION } from "../store/statements/sessions.js";
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
import type { Step, Turns } from "./turns.js";

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

/** Objects are read along with their leases up to about what an answer may have; the rest is read at hand-out. */
const READ_ALONG_MAX_BYTES = 3 * 1024 * 1024;

/** Kinds remembered as limited; beyond, all are forgotten, and freed leases are found at the pulse until the next look. */
const MAX_LIMITED_KINDS = 10_000;

/** Takes and ends leases. Only the database clock counts. */
export class LeaseQuery {
  readonly #database: Database;
  readonly #limitedKinds = new Set<string>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Leases due items of a kind to a session; one statement when there are none. */
  async look(request: LookRequest): Promise<Look> {
    const { session, kind, turns } = request;
    const lookedAt = performance.now();
    const [peek] = await this.#database.query<PeekRow>(PEEK, [session.sessionId, kind.resourceGroup, kind.kind]);
    if (peek === undefined) return { type: "gone" };
    this.#noteLimit(kind, peek.is_kind_limited);
    const choice = chooseLook(peek, turns.isAfterSolo(session));
    if (choice.type !== "turns" && choice.type !== "solo") return choice;
    const ready = choice.type === "turns" ? await this.#promote(kind, peek) : [];
    const marked = await this.#database.withConnection((connection) => mark(connection, request, peek, ready));
    if (marked === undefined) return { type: "gone" };
    if (marked.rows.length === 0) return { type: "nothing", nextInMs: LOCKED_RETRY_MS };
    const resources = new Map(marked.resources.map((row) => [row.id, resourceFromRow(row)]));
    const items = marked.rows.map((row) => toMarkedItem(row, resources.get(row.resource_id), lookedAt));
    turns.served(session, ready, items);
    return { type: "leased", items };
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

/**
 * One transaction in one round trip: sent together, run in order. What is taken is counted in statements after the ones that lock,
 * and read after it was taken. When one fails, those behind it fail too, and COMMIT rolls back.
 *
 * No classes: a struck item. The order of the locks is that of work/SPEC.md.
 */
async function mark(
  connection: Connection,
  { session: { sessionId }, kind, maxItems, turns }: LookRequest,
  peek: PeekRow,
  ready: readonly Priority[],
): Promise<Marked | undefined> {
  const isKindLocked = peek.is_kind_limited;
  const values = [sessionId, kind.resourceGroup, kind.kind, maxItems, isKindLocked];
  const items = Math.min(maxItems, peek.room, peek.kind_room ?? maxItems, Math.floor(peek.tokens ?? maxItems));
  const [, , locked, rows, resources] = await allDone([
    connection.query(BEGIN),
    isKindLocked ? connection.query(LOCK_KIND, [kind.resourceGroup, kind.kind]) : [],
    connection.query(LOCK_SESSION, [sessionId]),
    ready.length === 0
      ? connection.query<MarkedRow>(MARK_SOLO, values)
      : connection.query<MarkedRow>(MARK_TURNS, [...values, ...stepArrays(turns.plan(ready, items))]),
    connection.query<ResourceRow>(READ_LEASED, [sessionId, READ_ALONG_MAX_BYTES]),
    connection.query(COMMIT),
  ]);
  return locked.length === 0 ? undefined : { rows, resources };
}

interface Marked {
  readonly rows: readonly MarkedRow[];
  readonly resources: readonly ResourceRow[];
}

/** As Promise.all, but a rejection waits for the others: the connection is nobody else's before all is answered. */
async function allDone<T extends readonly unknown[]>(promises: [...T]): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function stepArrays(steps: readonly Step[]): unknown[][] {
  return [
    steps.map((step) => step.priority),
    steps.map((step) => step.after),
    steps.map((step) => step.skipped),
    steps.map((step) => step.taken),
  ];
}

function toMarkedItem(row: MarkedRow, resource: Resource | undefined, lookedAt: number): MarkedItem {
  return {
    key: { resourceGroup: row.resource_group, kind: row.kind, namespace: row.namespace, name: row.name },
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
