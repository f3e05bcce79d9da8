import type { KindRef, ResourceKey } from "../../resource/key.js";
import type { WorkReason } from "../../resource/work.js";
import type { DueHint } from "../log/change-log.js";
import type { Connection, Database } from "../store/database.js";
import { type EndedSessionRow, LOCK_SESSION } from "../store/statements/sessions.js";
import {
  type CheckpointRow,
  DROP_GHOSTS,
  type DueRow,
  FAIL_LEASE,
  MARK_LEASES,
  type MarkedRow,
  PEEK,
  type PeekRow,
  READ_CHECKPOINTS,
  RETURN_LEASES,
  RETURN_LEASES_OF_SESSIONS,
  SAVE_PROGRESS,
  STRIKE_LEASES_OF_SESSIONS,
} from "../store/statements/work-items.js";

/** An item just leased; its object is read afterwards. */
export interface MarkedItem {
  readonly key: ResourceKey;
  readonly resourceId: bigint;
  readonly leaseToken: string;
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

/** What a look for work found. */
export type Look =
  | { readonly type: "leased"; readonly items: readonly MarkedItem[] }
  /** Nothing is due; the next item is in `nextInMs` (undefined: none waits). */
  | { readonly type: "nothing"; readonly nextInMs: number | undefined }
  /** The session holds as many leases as it may. */
  | { readonly type: "full" }
  /** The session is over. */
  | { readonly type: "gone" };

/**
 * Something is due, yet nothing could be leased: others were faster, or a transaction holds the items. Nobody rings when that
 * one leaves them as they were (nothing changed, refused, rolled back), so the look is repeated.
 */
const LOCKED_RETRY_MS = 50;

/** Takes and ends leases. Only the database clock counts. */
export class LeaseQuery {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Leases up to `maxItems` due items of `kind` to the session; one statement when there are none. */
  async look(sessionId: string, kind: KindRef, maxItems: number): Promise<Look> {
    const lookedAt = performance.now();
    const [peek] = await this.#database.query<PeekRow>(PEEK, [sessionId, kind.resourceGroup, kind.kind]);
    if (peek === undefined) return { type: "gone" };
    if (peek.room <= 0) return { type: "full" };
    if (peek.in_ms === null || peek.in_ms > 0) return { type: "nothing", nextInMs: peek.in_ms ?? undefined };
    const rows = await this.#database.transaction((connection) => mark(connection, sessionId, kind, maxItems));
    if (rows === undefined) return { type: "gone" };
    if (rows.length === 0) return { type: "nothing", nextInMs: LOCKED_RETRY_MS };
    return { type: "leased", items: rows.map((row) => toMarkedItem(row, lookedAt)) };
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

async function mark(
  connection: Connection,
  sessionId: string,
  kind: KindRef,
  maxItems: number,
): Promise<MarkedRow[] | undefined> {
  const locked = await connection.query(LOCK_SESSION, [sessionId]);
  if (locked.length === 0) return undefined;
  return connection.query<MarkedRow>(MARK_LEASES, [sessionId, kind.resourceGroup, kind.kind, maxItems]);
}

function toMarkedItem(row: MarkedRow, lookedAt: number): MarkedItem {
  return {
    key: { resourceGroup: row.resource_group, kind: row.kind, namespace: row.namespace, name: row.name },
    resourceId: row.resource_id,
    leaseToken: row.lease_token,
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
