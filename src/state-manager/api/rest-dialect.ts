import { ConnectError } from "@connectrpc/connect";
import { DomainError, type ErrorReason, hasReason } from "../../resource/errors.js";
import { httpStatus, InternalError, retryAfter } from "./error-mapping.js";
import { type AnyResponse, answerJson } from "./http-exchange.js";
import type { CallError } from "./pipeline.js";

/** The status and first words that clients of `/api/v1` rely on, where they differ from the general surface. */
interface Wording {
  readonly status: number;
  readonly prefix: string;
}

/** The one place that knows how the dialect words errors; the domain's own words follow the prefix. */
const WORDINGS: Readonly<Partial<Record<ErrorReason, Wording>>> = {
  INVALID_JSON: { status: 400, prefix: "Invalid JSON: " },
  INVALID_FIELD: { status: 400, prefix: "Validation failed: " },
  PAYLOAD_TOO_LARGE: { status: 413, prefix: "Validation failed: " },
  UNSUPPORTED_CONTENT_ENCODING: { status: 415, prefix: "Validation failed: " },
  ALREADY_EXISTS: { status: 400, prefix: "Already exists: " },
  GENERATION_CONFLICT: { status: 409, prefix: "Version conflict: " },
  REVISION_CONFLICT: { status: 409, prefix: "Version conflict: " },
  UID_CONFLICT: { status: 409, prefix: "Version conflict: " },
  SHARD_CONFLICT: { status: 409, prefix: "Version conflict: " },
  FINALIZER_ADDED_WHILE_DELETING: { status: 400, prefix: "Validation failed: " },
  OWNER_NOT_FOUND: { status: 400, prefix: "Validation failed: " },
  OWNER_DELETING: { status: 400, prefix: "Validation failed: " },
  OWNER_CYCLE: { status: 400, prefix: "Validation failed: " },
  OWNER_TOO_DEEP: { status: 400, prefix: "Validation failed: " },
  OBSERVED_GENERATION_AHEAD: { status: 400, prefix: "Current version unavailable: " },
  // A watch that cannot go on from its token; HTTP has a word for it.
  COMPACTED: { status: 410, prefix: "" },
};

/** Answers with an error, and with the advice when or how to try again. */
export function answerError(response: AnyResponse, error: CallError): void {
  const advice = retryAfter(error);
  if (advice !== undefined) response.setHeader("retry-after", advice);
  // RFC 7694: what the client may send instead.
  if (hasReason(error, "UNSUPPORTED_CONTENT_ENCODING")) response.setHeader("accept-encoding", "identity");
  answerJson(response, restStatus(error), errorJson(restMessage(error)));
}

function restStatus(error: CallError): number {
  if (error instanceof ConnectError) return STATUS_CLIENT_GONE;
  return (error instanceof DomainError ? WORDINGS[error.reason]?.status : undefined) ?? httpStatus(error);
}

function restMessage(error: CallError): string {
  if (error instanceof InternalError) return error.message;
  if (error instanceof ConnectError) return error.rawMessage;
  return (WORDINGS[error.reason]?.prefix ?? "") + error.message;
}

/** The body of every error. */
export function errorJson(message: string): string {
  return `{"error":${JSON.stringify(message)}}`;
}

/** Nginx's number for a client that closed the connection; nobody is left to read it. */
const STATUS_CLIENT_GONE = 499;
