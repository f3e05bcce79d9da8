/** The few checks that the example specs share. What they throw becomes the condition Ready = False, InvalidSpec. */

/** The fields of a spec; refuses anything but an object and any field that is not in `known`. */
export function fieldsOf(spec: unknown, known: readonly string[]): ReadonlyMap<string, unknown> {
  if (typeof spec !== "object" || spec === null || Array.isArray(spec)) throw new Error("spec must be an object");
  const fields = new Map<string, unknown>(Object.entries(spec));
  const unknown = [...fields.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`spec.${unknown} is not known: use ${known.join(", ")}`);
  return fields;
}

/** A text without NUL. */
export function textOf(value: unknown, field: string): string {
  if (typeof value !== "string" || value.includes("\0")) throw new Error(`spec.${field} must be a text without NUL`);
  return value;
}

/** A port that needs no privileges. */
export function portOf(value: unknown): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1024 && value <= 65535) return value;
  throw new Error("spec.port must be an integer from 1024 to 65535");
}
