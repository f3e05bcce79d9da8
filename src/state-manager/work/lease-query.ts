import type { KindRef, ResourceKey } from "../../resource/key.js";
import type { WorkReason } from "../../resource/work.js";
import type { DueHint } from "../log/change-log.js";
import type { Connection, Database } from "../store/database.js";
import { LOCK_SESSION } from "../store/statements/sessions.js";
import {
  DROP_GHOSTS,
  type DueRow,
  FAIL_LEASE,
  MARK_LEASES,
  type MarkedRow,
  PEEK,
  type PeekRow,
  RETURN_LEASES,
  RETURN_LEASES_OF_SESSIONS,
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
  /** From due to leased, in milliseconds. */
  readonly waitedMs: number;
  /** `performance.now()` from before the look that leased it: the lease is not older. */
  readonly lookedAt: number;
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
    waitedMs: row.waited_ms,
    lookedAt,
  };
}
