/** Codes of Node's errors for a connection or stream that the other end has closed or cut. */
const GONE: ReadonlySet<unknown> = new Set([
  "EPIPE",
  "ECONNRESET",
  "ECONNABORTED",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_HTTP2_INVALID_STREAM",
  "ERR_HTTP2_STREAM_CANCEL",
  "ERR_HTTP2_STREAM_ERROR",
  "ERR_HTTP2_SESSION_ERROR",
  "ERR_HTTP2_GOAWAY_SESSION",
]);

/**
 * Whether writing an answer, or reading a request, failed because the client left: nobody's fault, and nothing to answer.
 *
 * Only for errors of the client's own connection. The same codes of PostgreSQL or Redis mean something else, and are translated
 * where they arise.
 */
export function isClientGone(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++) {
    if (cause.name === "AbortError" || ("code" in cause && GONE.has(cause.code))) return true;
  }
  return false;
}
