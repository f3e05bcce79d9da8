import type { KindRef } from "../../resource/key.js";
import { BEGIN, COMMIT, type Connection } from "../store/database.js";
import type { ResourceRow } from "../store/resource-row.js";
import { MARK_SOLO, MARK_TURNS, type MarkedRow, READ_LEASED } from "../store/statements/lease-work.js";
import { LOCK_KIND } from "../store/statements/reconciled-kinds.js";
import { LOCK_SESSION } from "../store/statements/sessions.js";
import type { Step } from "./turns.js";

/** What leases to take. */
export interface Taking {
  readonly sessionId: string;
  readonly kind: KindRef;
  readonly maxItems: number;
  /** Whether the leases of the kind are limited. When they are, and this says no, none is taken. */
  readonly isKindLimited: boolean;
  /** Whose turn it is; none: a struck item is taken. */
  readonly steps: readonly Step[];
  /** Takes nothing by turns while a struck item is due that the session may be for. */
  readonly isUnlessStruck: boolean;
}

/** Leases taken, and the objects that came with them. */
export interface Taken {
  readonly rows: readonly MarkedRow[];
  readonly resources: readonly ResourceRow[];
}

/** Objects are read along with their leases up to about what an answer may have; the rest is read at hand-out. */
const READ_ALONG_MAX_BYTES = 3 * 1024 * 1024;

/**
 * One transaction in one round trip: sent together, run in order. What is taken is counted in statements after the ones that lock,
 * and read after it was taken. When one fails, those behind it fail too, and COMMIT rolls back.
 *
 * Undefined: the session is over. The order of the locks is that of work/SPEC.md.
 */
export async function takeLeases(connection: Connection, taking: Taking): Promise<Taken | undefined> {
  const { sessionId, kind, maxItems, isKindLimited, steps, isUnlessStruck } = taking;
  const values = [sessionId, kind.resourceGroup, kind.kind, maxItems, isKindLimited];
  const [, , locked, rows, resources] = await allAnswered([
    connection.query(BEGIN),
    isKindLimited ? connection.query(LOCK_KIND, [kind.resourceGroup, kind.kind]) : [],
    connection.query(LOCK_SESSION, [sessionId]),
    steps.length === 0
      ? connection.query<MarkedRow>(MARK_SOLO, values)
      : connection.query<MarkedRow>(MARK_TURNS, [...values, ...stepArrays(steps), isUnlessStruck]),
    connection.query<ResourceRow>(READ_LEASED, [READ_ALONG_MAX_BYTES]),
    connection.query(COMMIT),
  ]);
  return locked.length === 0 ? undefined : { rows, resources };
}

/** As Promise.all, but a rejection waits for the others: the connection is nobody else's before all is answered. */
export async function allAnswered<T extends readonly unknown[]>(
  queries: [...T],
): Promise<{ -readonly [P in keyof T]: Awaited<T[P]> }> {
  await Promise.allSettled(queries);
  return Promise.all(queries);
}

function stepArrays(steps: readonly Step[]): unknown[][] {
  return [
    steps.map((step) => step.priority),
    steps.map((step) => step.after),
    steps.map((step) => step.skipped),
    steps.map((step) => step.taken),
  ];
}
