import type { KindRef } from "../../resource/key.js";
import type { BoundStatement } from "../store/database.js";
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
 * The statements that take leases, for one `queryAll`: one transaction, one round trip. What is taken is counted in statements after
 * the ones that lock, and read after it was taken. The order of the locks is that of work/SPEC.md.
 */
export function takeLeases(taking: Taking): readonly BoundStatement[] {
  const { sessionId, kind, maxItems, isKindLimited, steps, isUnlessStruck } = taking;
  const { resourceGroup } = kind;
  const lockKind = { statement: LOCK_KIND, values: [resourceGroup, kind.kind] };
  const values = [sessionId, resourceGroup, kind.kind, maxItems, isKindLimited];
  return [
    ...(isKindLimited ? [lockKind] : []),
    { statement: LOCK_SESSION, values: [sessionId] },
    steps.length === 0
      ? { statement: MARK_SOLO, values }
      : { statement: MARK_TURNS, values: [...values, ...stepArrays(steps), isUnlessStruck] },
    { statement: READ_LEASED, values: [READ_ALONG_MAX_BYTES] },
  ];
}

/** What came back from these statements, or from others with these at their end; undefined: the session is over. */
export function takenLeases(answers: readonly (readonly unknown[])[]): Taken | undefined {
  const [locked, rows, resources] = answers.slice(-3);
  if (locked === undefined || locked.length === 0) return undefined;
  // As the last two statements say.
  return { rows: rows as readonly MarkedRow[], resources: resources as readonly ResourceRow[] };
}

function stepArrays(steps: readonly Step[]): unknown[][] {
  return [
    steps.map((step) => step.priority),
    steps.map((step) => step.after),
    steps.map((step) => step.skipped),
    steps.map((step) => step.taken),
  ];
}
