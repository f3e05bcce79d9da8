/** The error classes of the domain. The edge maps `code` to each protocol in one table; callers use the predicates. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "ABORTED"
  | "FAILED_PRECONDITION"
  | "OUT_OF_RANGE"
  | "RESOURCE_EXHAUSTED"
  | "UNAVAILABLE"
  | "DEADLINE_EXCEEDED"
  | "PERMISSION_DENIED";

/** Stable and machine-readable; clients decide by it. */
export type ErrorReason =
  | "INVALID_FIELD"
  | "INVALID_JSON"
  | "INVALID_MESSAGE"
  | "PAYLOAD_TOO_LARGE"
  | "UNSUPPORTED_CONTENT_ENCODING"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "GENERATION_CONFLICT"
  | "REVISION_CONFLICT"
  | "UID_CONFLICT"
  | "SHARD_CONFLICT"
  | "OBSERVED_GENERATION_AHEAD"
  | "OWNER_NOT_FOUND"
  | "OWNER_DELETING"
  | "OWNER_CYCLE"
  | "OWNER_TOO_DEEP"
  | "FINALIZER_NOT_FOUND"
  | "FINALIZER_ADDED_WHILE_DELETING"
  | "MALFORMED_TOKEN"
  | "FOREIGN_TOKEN"
  | "COMPACTED"
  | "LINEAGE_LOST"
  | "SESSION_NOT_FOUND"
  | "NOT_QUARANTINED"
  | "KIND_TAKEN"
  | "OVERLOADED"
  | "STORE_UNAVAILABLE"
  | "SHUTTING_DOWN"
  | "CROSS_SITE"
  | "DEADLINE_EXCEEDED";

/** An error a caller can act on. Its text says what, which, the value or limit, and what to do. */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly code: ErrorCode;
  readonly reason: ErrorReason;
  /** Path of the offending field, for example `labels["a"]`; empty when no field is to blame. */
  readonly field: string;

  constructor(
    code: ErrorCode,
    reason: ErrorReason,
    message: string,
    options: { readonly field?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = reason;
    this.field = options.field ?? "";
  }
}

/** The request is wrong whatever the state. `message` follows the field's path: `name must not be empty`. */
export function invalidField(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", "INVALID_FIELD", `${field} ${message}`, { field });
}

/** Whether `error` says that what was sent, or would be stored, is wrong whatever the state. */
export function isInvalid(error: unknown): error is DomainError {
  return error instanceof DomainError && error.code === "INVALID_ARGUMENT";
}

/** Whether `error` is a domain error with one of `reasons`. */
export function hasReason(error: unknown, ...reasons: readonly ErrorReason[]): error is DomainError {
  return error instanceof DomainError && reasons.includes(error.reason);
}
