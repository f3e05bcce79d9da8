import { isUtf8 } from "node:buffer";

/** The text of a file, or where and why it is none. */
export type Utf8Text = { readonly text: string } | { readonly problem: string };

/**
 * Reads bytes that must be UTF-8: Node would replace what is not by U+FFFD, and that would be stored. `file` is what a problem
 * begins with.
 */
export function utf8Text(bytes: Uint8Array, file: string): Utf8Text {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString("utf8");
  if (isUtf8(buffer)) return { text };
  if (isUtf16(buffer)) return { problem: `${file}:1:1: must be UTF-8 text and is UTF-16; save it as UTF-8` };
  const at = firstDifference(buffer, Buffer.from(text));
  const before = buffer.subarray(0, at).toString("utf8");
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  const byte = (buffer[at] ?? 0).toString(16).padStart(2, "0");
  return { problem: `${file}:${line}:${column}: must be UTF-8 text (got the byte 0x${byte}); save it as UTF-8` };
}

/** By its byte order mark. */
function isUtf16([first, second]: Buffer): boolean {
  return (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
}

/** Decoded and encoded again, bytes differ from the first that is not UTF-8 on. */
function firstDifference(a: Buffer, b: Buffer): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}
