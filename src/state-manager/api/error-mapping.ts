import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "../../../gen/reconcile/v1/error_pb.js";
import { DomainError, type ErrorCode } from "../../resource/errors.js";
import { JSON_DEPTH_MAX } from "../../resource/limits.js";

/** How one class of errors looks on every protocol. */
interface Mapping {
  readonly connect: Code;
  /** Of the general surface; rest-dialect.ts overrides it for `/api/v1`. */
  readonly http: number;
}

/** The one table of the edge (STYLE §5). */
const TABLE: Readonly<Record<ErrorCode, Mapping>> = {
  INVALID_ARGUMENT: { connect: Code.InvalidArgument, http: 400 },
  NOT_FOUND: { connect: Code.NotFound, http: 404 },
  ALREADY_EXISTS: { connect: Code.AlreadyExists, http: 409 },
  ABORTED: { connect: Code.Aborted, http: 409 },
  FAILED_PRECONDITION: { connect: Code.FailedPrecondition, http: 400 },
  OUT_OF_RANGE: { connect: Code.OutOfRange, http: 400 },
  RESOURCE_EXHAUSTED: { connect: Code.ResourceExhausted, http: 429 },
  UNAVAILABLE: { connect: Code.Unavailable, http: 503 },
  DEADLINE_EXCEEDED: { connect: Code.DeadlineExceeded, http: 504 },
  PERMISSION_DENIED: { connect: Code.PermissionDenied, http: 403 },
};

/** Seconds a client should wait before it tries again; long enough for a PostgreSQL restart to make progress. */
const RETRY_AFTER_SECONDS = "1";

/** Our bug, already logged with its request id: the caller learns the id and nothing else. */
export class InternalError extends Error {
  override readonly name = "InternalError";

  constructor(requestId: string, cause: unknown) {
    super(`internal error; give the operator request id ${requestId}`, { cause });
  }
}

/** The HTTP status of `error` on the general surface. */
export function httpStatus(error: DomainError | InternalError): number {
  return error instanceof DomainError ? TABLE[error.code].http : 500;
}

/** The value of `Retry-After`; undefined when trying again is no use. */
export function retryAfter(error: DomainError | InternalError | ConnectError): string | undefined {
  const may = error instanceof DomainError && (error.code === "UNAVAILABLE" || error.code === "RESOURCE_EXHAUSTED");
  return may ? RETRY_AFTER_SECONDS : undefined;
}

/** What Connect, gRPC and gRPC-Web answer; an error of Connect itself (a cancelled call) passes unchanged. */
export function toConnectError(error: DomainError | InternalError | ConnectError): ConnectError {
  if (error instanceof ConnectError) return error;
  if (error instanceof InternalError) return new ConnectError(error.message, Code.Internal);
  const advice = retryAfter(error);
  const metadata = advice === undefined ? undefined : { "retry-after": advice };
  const detail = { desc: ErrorDetailSchema, value: { reason: error.reason, field: error.field } };
  return new ConnectError(wellFormed(error.message), TABLE[error.code].connect, metadata, [detail], error);
}

/** With half a surrogate pair, which a message may quote, Connect fails to write the error of a gRPC call. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

/**
 * What an error of Connect's own means. INTERNAL and INVALID_ARGUMENT both say that it could not read the request: what goes
 * wrong behind it arrives as one of the other two classes.
 */
export function fromConnectError(error: ConnectError): DomainError | ConnectError {
  if (error.code !== Code.Internal && error.code !== Code.InvalidArgument) return error;
  const words = error.rawMessage.includes("recursion depth")
    ? // Nothing else nests; the parser does not say where, and goes on for more levels than the domain.
      `spec or status must not be nested deeper than ${JSON_DEPTH_MAX} levels`
    : `the request must be well-formed: ${error.rawMessage.replace(/^parse binary: /, "")}`;
  return new DomainError("INVALID_ARGUMENT", "INVALID_MESSAGE", words, { cause: error });
}

/** The name of an outcome in metrics and logs: Connect's code names, the same for every protocol. */
export function outcomeName(error: DomainError | InternalError | ConnectError): string {
  if (error instanceof DomainError) return error.code.toLowerCase();
  return error instanceof ConnectError ? codeName(error.code) : "internal";
}

function codeName(code: Code): string {
  return Code[code].replace(/(?!^)[A-Z]/g, "_$&").toLowerCase();
}
