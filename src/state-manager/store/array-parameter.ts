/** What a column of a set-based statement may hold. */
export type Scalar = string | number | bigint | boolean | Date | null;

/** Element types sent in binary form, by their fixed object id. */
const BINARY_TYPES: Readonly<Record<string, number>> = { text: 25, json: 114, jsonb: 3802 };
/** jsonb in binary form is this and its text. */
const JSONB_VERSION = 1;
/** Dimensions, has-nulls flag, element type, length and lower bound, four bytes each. */
const HEADER_BYTES = 20;

/**
 * An array of SQL type `type` as the parameter of a statement.
 *
 * Texts go in binary form: nothing is escaped here and nothing unescaped there, which with payloads of a kilobyte is a good part
 * of a write on both sides. Numbers, times, ids and booleans have no character to escape: their text form is a join.
 */
export function arrayParameter(type: string, values: readonly Scalar[]): Buffer | string {
  const oid = BINARY_TYPES[type];
  if (oid === undefined) return `{${values.map((value) => parameterOf(value) ?? "NULL").join(",")}}`;
  const prefix = type === "jsonb" ? 1 : 0;
  const lengths = values.map((value) => (value === null ? -1 : Buffer.byteLength(String(value)) + prefix));
  const buffer = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + 4 + Math.max(0, length), HEADER_BYTES));
  let at = 0;
  for (const word of [1, lengths.includes(-1) ? 1 : 0, oid, values.length, 1]) at = buffer.writeInt32BE(word, at);
  for (const [i, length] of lengths.entries()) {
    at = buffer.writeInt32BE(length, at);
    if (length === -1) continue;
    if (prefix === 1) at = buffer.writeUInt8(JSONB_VERSION, at);
    at += buffer.write(String(values[i]), at);
  }
  return buffer;
}

/** What the driver sends: text, or bytes for what is in binary form. */
export type Parameter = string | Buffer | null;

/** The parameter for a value: a scalar, bytes, or an array of scalars, null among them. Throws TypeError for anything else. */
export function parameterOf(value: unknown): Parameter {
  if (value === null || Buffer.isBuffer(value)) return value;
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (Array.isArray(value)) return `{${value.map(elementOf).join(",")}}`;
  if (value instanceof Date) return value.toISOString();
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    default:
      throw new TypeError(`a statement cannot take ${typeof value} as a parameter`);
  }
}

function elementOf(value: unknown): string {
  const element = parameterOf(value);
  if (element === null) return "NULL";
  if (Buffer.isBuffer(element)) return `"\\\\x${element.toString("hex")}"`;
  return typeof value === "string" ? `"${value.replaceAll(/["\\]/g, "\\$&")}"` : element;
}
