import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** What the parser of HTTP/1.1 refuses, by the code of its error. */
const REFUSALS: Readonly<Record<string, { readonly status: number; readonly code: string; readonly message: string }>> =
  {
    HPE_HEADER_OVERFLOW: {
      status: 431,
      code: "resource_exhausted",
      message: "the headers must be at most 16 KiB together; send fewer or shorter ones",
    },
    HPE_CHUNK_EXTENSIONS_OVERFLOW: {
      status: 413,
      code: "resource_exhausted",
      message: "the extensions of chunks must be at most 16 KiB together; send none",
    },
    ERR_HTTP_REQUEST_TIMEOUT: {
      status: 408,
      code: "deadline_exceeded",
      message: "the request was not complete in time; send its headers within 10 s and its body within 60 s",
    },
  };
const MALFORMED = {
  status: 400,
  code: "invalid_argument",
  message: "this is no HTTP request; the port speaks HTTP/1.1 and HTTP/2 without TLS",
};

/**
 * Answers what never became a request, and closes. Which protocol it was meant to be nobody knows, so the body is the error of
 * the REST dialect and of Connect in one.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // Not in the middle of another answer, as Node does by itself; its types lack the field.
  const { _httpMessage: current } = socket as { _httpMessage?: { readonly headersSent: boolean } | null };
  if (!socket.writable || error.code === "ECONNRESET" || current?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, code, message } = REFUSALS[error.code ?? ""] ?? MALFORMED;
  const body = `${JSON.stringify({ error: message, code, message })}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}
