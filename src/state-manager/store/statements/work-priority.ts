import { PRIORITY } from "../../../resource/work.js";
import { PRIORITY_ANNOTATION } from "../../../resource/work-priority.js";

/** `priorityShiftOf` of src/resource/work-priority.ts, of the annotations of resource `r`. */
export const PRIORITY_SHIFT = `CASE r.annotations ->> '${PRIORITY_ANNOTATION}' WHEN 'high' THEN -1 WHEN 'low' THEN 1 ELSE 0 END`;

/** `shiftPriority` of src/resource/work-priority.ts. */
export function shiftedPriority(priority: number, shift: string): string {
  return `greatest(${PRIORITY.urgent}, least(${PRIORITY.sweep}, ${priority} + ${shift}))`;
}

/** The classes as rows, most urgent first. */
export const CLASSES = `(VALUES ${Object.values(PRIORITY)
  .map((priority) => `(${priority}::smallint)`)
  .join(", ")}) AS class (priority)`;
