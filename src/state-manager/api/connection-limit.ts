import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** Descriptors kept for PostgreSQL, Redis, files and what Node itself opens. */
const RESERVED_DESCRIPTORS = 256;
const CONNECTIONS_MIN = 16;
/** A refused client that neither reads nor closes is cut off after this time. */
const FAREWELL_MS = 1_000;

/**
 * How many clients may be connected at once: as many as the process may open descriptors, less a reserve. Past the limit of the process
 * itself the kernel's connections are closed without a word. Infinity where the system does not tell it.
 */
export function connectionLimit(): number {
  try {
    const [, files] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return files === undefined ? Infinity : Math.max(CONNECTIONS_MIN, Number(files) - RESERVED_DESCRIPTORS);
  } catch {
    return Infinity;
  }
}

/** Answers the first request of a connection that is one too many, in its protocol, and closes. */
export function refuseConnection(socket: Socket, limit: number): void {
  const message = `the server holds ${limit} connections already, which is its limit: retry later, or raise its limit of open files`;
  const cut = setTimeout(() => socket.destroy(), FAREWELL_MS);
  socket.once("close", () => clearTimeout(cut)).on("error", () => socket.destroy());
  // Only behind the request: a close with bytes unread is a reset, and the client would not see the answer.
  socket.once("data", (first: Buffer) => {
    socket.end(first.subarray(0, 3).toString("latin1") === "PRI" ? goAway(message) : unavailable(message));
  });
}

/** The error of the REST dialect and of Connect in one. */
function unavailable(message: string): string {
  const body = `${JSON.stringify({ error: message, code: "resource_exhausted", message })}\n`;
  const head = ["HTTP/1.1 503 Service Unavailable", "content-type: application/json", "retry-after: 1"];
  const length = `content-length: ${Buffer.byteLength(body)}`;
  return `${[...head, length, "connection: close"].join("\r\n")}\r\n\r\n${body}`;
}

/** RFC 9113 §6.8: no stream was looked at, so a client may repeat all its calls, and gRPC's do. */
function goAway(message: string): Buffer {
  const text = Buffer.from(message);
  const frame = Buffer.alloc(SETTINGS_BYTES + HEAD_BYTES + 8);
  frame[3] = 4; // SETTINGS, empty: a connection begins with it
  frame.writeUIntBE(8 + text.length, SETTINGS_BYTES, 3);
  frame[SETTINGS_BYTES + 3] = 7; // GOAWAY of stream 0, last stream 0
  frame.writeUInt32BE(ENHANCE_YOUR_CALM, SETTINGS_BYTES + HEAD_BYTES + 4);
  return Buffer.concat([frame, text]);
}

const HEAD_BYTES = 9;
const SETTINGS_BYTES = HEAD_BYTES;
const ENHANCE_YOUR_CALM = 0xb;
