import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { DomainError } from "../../resource/errors.js";
import { duplicateKey, duplicateKeyError } from "../../resource/json-keys.js";
import { memberPath } from "../../resource/json-path.js";
import { memberSpans } from "../../resource/json-text.js";
import type { StringMap } from "../../resource/resource.js";

/** The JSON object of a request body. Every getter throws INVALID_JSON when the member has another type; null is absent. */
export class RestBody {
  readonly #members: Readonly<Record<string, unknown>>;
  /** The text of each member as it was sent. */
  readonly #texts: ReadonlyMap<string, string>;

  private constructor(members: Readonly<Record<string, unknown>>, texts: ReadonlyMap<string, string>) {
    this.#members = members;
    this.#texts = texts;
  }

  /**
   * Parses bytes that must be UTF-8 and one JSON object; a byte order mark before it is skipped. Throws INVALID_JSON, and
   * INVALID_FIELD naming a member that is given twice. What is in the members is for the getters to look at: most of a body
   * that was read before is ignored.
   */
  static parse(bytes: Buffer): RestBody {
    if (!isUtf8(bytes)) throw invalidJson("", "the body must be UTF-8 text");
    const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
    let members: unknown;
    try {
      members = JSON.parse(text);
    } catch (error) {
      throw invalidJson("", error instanceof Error ? error.message : String(error));
    }
    if (typeof members !== "object" || members === null || Array.isArray(members)) {
      throw invalidJson("", "the body must be an object");
    }
    const texts = new Map<string, string>();
    for (const { key, start, end } of memberSpans(text)) {
      if (texts.has(key)) throw duplicateKeyError(memberPath("", key));
      texts.set(key, text.slice(start, end));
    }
    // Any object has string keys; what the values are is for the getters to find out.
    return new RestBody(members as Readonly<Record<string, unknown>>, texts);
  }

  /** A string; empty when absent. */
  string(field: string): string {
    const value = this.#own(field) ?? "";
    if (typeof value !== "string") throw invalidJson(field, `${field} must be a string`);
    return value;
  }

  /** An object of strings; empty when absent. */
  stringMap(field: string): StringMap {
    const value = this.#own(field) ?? EMPTY;
    if (typeof value !== "object" || Array.isArray(value))
      throw invalidJson(field, `${field} must be an object of strings`);
    this.#checkKeys(field);
    const map = new Map<string, string>();
    for (const [key, entry] of Object.entries(value)) {
      if (typeof entry !== "string") {
        const path = `${field}[${JSON.stringify(key)}]`;
        throw invalidJson(path, `${path} must be a string`);
      }
      map.set(key, entry);
    }
    return map;
  }

  /** An array of strings; empty when absent. */
  strings(field: string): readonly string[] {
    const value = this.#own(field) ?? [];
    if (!Array.isArray(value)) throw invalidJson(field, `${field} must be an array of strings`);
    value.forEach((entry, i) => {
      if (typeof entry !== "string") throw invalidJson(`${field}[${i}]`, `${field}[${i}] must be a string`);
    });
    return value;
  }

  /** A whole number; undefined when absent. */
  counter(field: string): bigint | undefined {
    const value = this.#own(field) ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isInteger(value))
      throw invalidJson(field, `${field} must be a whole number`);
    // Past 2^53 the parsed number may be a neighbour of the one that was sent; the text knows.
    return Number.isSafeInteger(value) ? BigInt(value) : exactInteger(this.#texts.get(field), value);
  }

  /** An object with strings, absent and null ones empty; null when null, undefined when absent: here the two differ. */
  object<Field extends string>(
    field: string,
    fields: readonly Field[],
  ): Readonly<Record<Field, string>> | null | undefined {
    const value = this.#own(field);
    if (value === undefined || value === null) return value;
    if (typeof value !== "object" || Array.isArray(value)) {
      throw invalidJson(field, `${field} must be an object, or null for none`);
    }
    this.#checkKeys(field);
    const entries = fields.map((name) => {
      const part: unknown = Object.hasOwn(value, name) ? (value as Readonly<Record<string, unknown>>)[name] : "";
      if (typeof (part ?? "") !== "string") throw invalidJson(`${field}.${name}`, `${field}.${name} must be a string`);
      return [name, part ?? ""] as const;
    });
    // One entry for each of the fields, and each a string.
    return Object.fromEntries(entries) as Record<Field, string>;
  }

  /** The text of a member as it was sent; null when absent or null. */
  json(field: string): string | null {
    return this.#own(field) == null ? null : (this.#texts.get(field) ?? null);
  }

  #own(field: string): unknown {
    return Object.hasOwn(this.#members, field) ? this.#members[field] : undefined;
  }

  /** JSON.parse takes the last of equal keys in silence. */
  #checkKeys(field: string): void {
    const path = duplicateKey(field, this.#texts.get(field) ?? "");
    if (path !== undefined) throw duplicateKeyError(path);
  }
}

const EMPTY: Readonly<Record<string, unknown>> = {};

function exactInteger(text: string | undefined, rounded: number): bigint {
  return text !== undefined && /^-?\d+$/.test(text) ? BigInt(text) : BigInt(rounded);
}

function invalidJson(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", "INVALID_JSON", message, { field });
}

/** Refuses a body that is compressed: it is read as it comes, and would be refused as no UTF-8. */
export function checkContentCoding({ headers }: IncomingMessage | Http2ServerRequest): void {
  const coding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (coding === "" || coding === "identity") return;
  const text = `the body must not be compressed (content-encoding is ${JSON.stringify(coding)}); send it as it is`;
  throw new DomainError("INVALID_ARGUMENT", "UNSUPPORTED_CONTENT_ENCODING", text);
}

/** Reads a body of at most `maxBytes`. Rejects with PAYLOAD_TOO_LARGE, or Canceled when the client leaves meanwhile. */
export function readBody(request: IncomingMessage | Http2ServerRequest, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = () => {
      const text = `the body must be at most ${maxBytes} bytes; keep large data elsewhere and refer to it`;
      reject(new DomainError("INVALID_ARGUMENT", "PAYLOAD_TOO_LARGE", text));
    };
    if (Number(request.headers["content-length"]) > maxBytes) {
      refuse();
      return;
    }
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      // The rest is read and dropped, so that the client gets to see the answer; requestTimeout bounds it.
      if (size > maxBytes) refuse();
      else chunks.push(chunk);
    });
    // The length check spares the copy of the usual single chunk.
    request.on("end", () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.on("close", () => {
      if (!request.complete) reject(new ConnectError("the client left before its request was complete", Code.Canceled));
    });
  });
}
