import { inspect } from "node:util";

/** What the server keeps of an error, and takes as the message of a condition. */
const MAX_ERROR_CHARACTERS = 4_096;

/** How far causes are followed, and how many errors of an AggregateError are named: the first ones tell the story. */
const CAUSES_MAX = 5;
const ERRORS_MAX = 5;

/** What an error report and the condition of a thrown value say. Anything may have been thrown, of any size. */
export function describeError(error: unknown): string {
  try {
    const cut = describe(error, CAUSES_MAX).slice(0, MAX_ERROR_CHARACTERS);
    // What PostgreSQL cannot store, NUL and halves of characters, must not make the server refuse to hear of the error.
    return Buffer.from(cut, "utf8").toString("utf8").replaceAll("\0", "\uFFFD");
  } catch {
    return "a thrown value that has no text";
  }
}

function describe(error: unknown, causes: number): string {
  if (!isErrorLike(error))
    return typeof error === "string" && error !== "" ? error : `${describeValue(error)} was thrown`;
  const own = error.message || error.name || "an error without text";
  const parts = [own, ...(causes > 0 ? reasonsOf(error, causes - 1) : [])];
  // Many errors quote their cause.
  return parts.filter((part, i) => i === 0 || !error.message.includes(part)).join(": ");
}

function reasonsOf(error: ErrorLike, causes: number): string[] {
  const { errors, cause } = error;
  const members = Array.isArray(errors) ? errors.slice(0, ERRORS_MAX).map((member) => describe(member, causes)) : [];
  if (Array.isArray(errors) && errors.length > ERRORS_MAX) members.push(`and ${errors.length - ERRORS_MAX} more`);
  return [
    ...(members.length > 0 ? [members.join("; ")] : []),
    ...(cause === undefined || cause === null ? [] : [describe(cause, causes)]),
  ];
}

/** A value in one line, as a person would write it: `{ a: 1 }`. */
export function describeValue(value: unknown): string {
  const limits = { depth: 3, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 20, maxStringLength: 1_000 };
  return inspect(value, limits).slice(0, MAX_ERROR_CHARACTERS);
}

interface ErrorLike {
  readonly message: string;
  readonly name?: string;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** Errors of another realm are no instances of ours, and some programs throw what only looks like one. */
function isErrorLike(value: unknown): value is ErrorLike {
  if (value instanceof Error) return true;
  return typeof value === "object" && value !== null && "message" in value && typeof value.message === "string";
}
