import { invalidField } from "./errors.js";
import { quote } from "./quote.js";
import type { StringMap } from "./resource.js";
import { PRIORITY, type Priority, type PriorityShift } from "./work.js";

/** The annotation that makes a resource's work more or less urgent than that of others of its kind. */
export const PRIORITY_ANNOTATION = "reconcile.dev/priority";

const SHIFTS: ReadonlyMap<string, PriorityShift> = new Map([
  ["high", -1],
  ["normal", 0],
  ["low", 1],
]);

/** Throws INVALID_ARGUMENT unless `value` is one of the annotation's words; `field` is how the annotation is called. */
export function checkPriority(field: string, value: string): void {
  if (SHIFTS.has(value)) return;
  throw invalidField(field, `must be "high", "normal" or "low" (got ${quote(value)})`);
}

/** What the annotations say; 0 without the annotation, or with a word stored before words were checked. */
export function priorityShiftOf(annotations: StringMap): PriorityShift {
  return SHIFTS.get(annotations.get(PRIORITY_ANNOTATION) ?? "normal") ?? 0;
}

/** A class as shifted, never beyond the first or the last one. store/statements/work-priority.ts says the same in SQL. */
export function shiftPriority(priority: Priority, shift: PriorityShift): Priority {
  // Between two members of the union there are only members.
  return Math.max(PRIORITY.urgent, Math.min(PRIORITY.sweep, priority + shift)) as Priority;
}
