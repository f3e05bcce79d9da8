import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../gen/reconcile/v1/error_pb.js";

/** The code of a failed call, in the words of the server's documentation. */
export type ApiErrorCode =
  | "CANCELED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/** The reason of an error that no server sent. */
const CONNECTION_LOST = "CONNECTION_LOST";

/** Said by the client, or by a proxy: a call that was sent may have reached a server. */
const UNANSWERED: ReadonlySet<string> = new Set(["", CONNECTION_LOST, "NO_SERVER", "WRONG_SERVER"]);

const CODES: Readonly<Record<Code, ApiErrorCode>> = {
  [Code.Canceled]: "CANCELED",
  [Code.Unknown]: "UNKNOWN",
  [Code.InvalidArgument]: "INVALID_ARGUMENT",
  [Code.DeadlineExceeded]: "DEADLINE_EXCEEDED",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "ALREADY_EXISTS",
  [Code.PermissionDenied]: "PERMISSION_DENIED",
  [Code.ResourceExhausted]: "RESOURCE_EXHAUSTED",
  [Code.FailedPrecondition]: "FAILED_PRECONDITION",
  [Code.Aborted]: "ABORTED",
  [Code.OutOfRange]: "OUT_OF_RANGE",
  [Code.Unimplemented]: "UNIMPLEMENTED",
  [Code.Internal]: "INTERNAL",
  [Code.Unavailable]: "UNAVAILABLE",
  [Code.DataLoss]: "DATA_LOSS",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
};

/**
 * What the transport makes of a broken connection: a reset stream, a closed session, an answer that ends half-way. All
 * of them mean "the outcome is unknown, the server may be back in a moment", which is UNAVAILABLE. An error that a server
 * sent carries its headers.
 */
function isBrokenConnection({ code, metadata }: ConnectError): boolean {
  const codes = [Code.Aborted, Code.Canceled, Code.DataLoss, Code.Internal, Code.InvalidArgument, Code.Unknown];
  return metadata.keys().next().done === true && codes.includes(code);
}

/** A failed call. Decide by {@link ApiError.reason} or the predicates, never by the text. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiErrorCode;
  /**
   * Stable, for example `REVISION_CONFLICT`; `CONNECTION_LOST` when no answer came; `NO_SERVER` and `WRONG_SERVER` when none has ever
   * come from the address, or from another program; empty when the answer gave none.
   */
  readonly reason: string;
  /** The path of the offending field; empty when no field is to blame. */
  readonly field: string;

  private constructor(code: ApiErrorCode, reason: string, field: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
    this.reason = reason;
    this.field = field;
  }

  /** Refuses what a server would not get to see as it is; `problem` follows the field's path. */
  static invalid(field: string, problem: string): ApiError {
    return new ApiError("INVALID_ARGUMENT", "INVALID_FIELD", field, `${field} ${problem}`, undefined);
  }

  /** Reads what the transport threw. */
  static from(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    const connectError = ConnectError.from(error);
    const [detail] = connectError.findDetails(ErrorDetailSchema);
    const { code, rawMessage } = connectError;
    if (detail !== undefined) return new ApiError(CODES[code], detail.reason, detail.field, rawMessage, error);
    if (isBrokenConnection(connectError)) return new ApiError("UNAVAILABLE", CONNECTION_LOST, "", rawMessage, error);
    return new ApiError(CODES[code], "", "", rawMessage, error);
  }
}

/** Whether there is no such resource. */
export function isNotFound(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === "NOT_FOUND";
}

/** Whether the key is taken. */
export function isAlreadyExists(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === "ALREADY_EXISTS";
}

/** Whether somebody else wrote in between: read again, reapply the change and retry. */
export function isConflict(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === "ABORTED";
}

/**
 * Whether the call may succeed later. A write is not stored then, and never will be, unless {@link isOutcomeUnknown}: then the
 * connection broke, or a proxy answered.
 */
export function isUnavailable(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code === "UNAVAILABLE";
}

/**
 * Whether a write that failed may be stored all the same: read, then decide. Every other error proves that it is not, and never
 * will be (docs/write-outcomes.md).
 */
export function isOutcomeUnknown(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  const { code, reason } = error;
  // The last two also come as FAILED_PRECONDITION, when the client does not wait for a server.
  const isUnanswered = UNANSWERED.has(reason) && (code === "UNAVAILABLE" || reason.endsWith("_SERVER"));
  return isUnanswered || UNKNOWN_OUTCOME.has(code);
}

const UNKNOWN_OUTCOME: ReadonlySet<ApiErrorCode> = new Set([
  "DEADLINE_EXCEEDED",
  "CANCELED",
  "INTERNAL",
  "UNKNOWN",
  "DATA_LOSS",
]);

/** Whether a resume token can no longer be served: list again, then watch from there (I4). */
export function isTokenRefused(error: unknown): error is ApiError {
  return error instanceof ApiError && ["COMPACTED", "FOREIGN_TOKEN", "LINEAGE_LOST"].includes(error.reason);
}
