import { DomainError } from "../../resource/errors.js";
import type { ResourceKey } from "../../resource/key.js";

/** Writes the opaque token of a ListWork page: where the next one goes on. */
export function encodeWorkPageToken({ resourceGroup, kind, namespace, name }: ResourceKey): string {
  return Buffer.from(JSON.stringify([resourceGroup, kind, namespace, name])).toString("base64url");
}

/** The last key of the page before; undefined for the first page. Throws MALFORMED_TOKEN. */
export function decodeWorkPageToken(token: string): ResourceKey | undefined {
  if (token === "") return undefined;
  const [resourceGroup, kind, namespace, name, ...rest] = parse(token);
  const isKey = [resourceGroup, kind, namespace, name].every(
    (part) => typeof part === "string" && !part.includes("\0"),
  );
  if (!isKey || rest.length > 0) {
    const text = "page_token must be a token as the page before returned it; start again without one";
    throw new DomainError("INVALID_ARGUMENT", "MALFORMED_TOKEN", text, { field: "page_token" });
  }
  return { resourceGroup: String(resourceGroup), kind: String(kind), namespace: String(namespace), name: String(name) };
}

function parse(token: string): readonly unknown[] {
  try {
    const content: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return Array.isArray(content) ? content : [];
  } catch {
    // Not JSON: no token of ours, which the caller says.
    return [];
  }
}
