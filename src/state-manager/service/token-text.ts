import { createHash } from "node:crypto";
import { DomainError } from "../../resource/errors.js";

/** The longest are those that name a key: four parts of 255 characters, up to 4 bytes each, in base64. */
const MAX_CHARACTERS = 8_192;

/** The opaque text of a page token: base64url of a JSON array. */
export function writeToken(content: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(content)).toString("base64url");
}

/** What a page token says, unchecked; empty for a text that no server wrote. */
export function readToken(token: string): readonly unknown[] {
  if (token.length > MAX_CHARACTERS) return [];
  try {
    const content: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return Array.isArray(content) ? content : [];
  } catch {
    // Not JSON: no token of ours, which the caller says.
    return [];
  }
}

/** Tells apart what tokens count for; no secret, so 96 bits are plenty. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64url").slice(0, 16);
}

/** Whether a part of a token is a 64-bit counter as we write them. */
export function isCounter(part: unknown): part is string {
  return typeof part === "string" && /^\d{1,19}$/.test(part) && BigInt(part) < 2n ** 63n;
}

/** The refusal of a text that no server wrote. */
export function malformedToken(): DomainError {
  const text = "page_token must be a token as the page before returned it; start again without one";
  return new DomainError("INVALID_ARGUMENT", "MALFORMED_TOKEN", text, { field: "page_token" });
}
