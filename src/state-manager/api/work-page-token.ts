import type { ResourceKey } from "../../resource/key.js";
import { malformedToken, readToken, writeToken } from "../service/token-text.js";

/** Writes the opaque token of a ListWork page: where the next one goes on. */
export function encodeWorkPageToken({ resourceGroup, kind, namespace, name }: ResourceKey): string {
  return writeToken([resourceGroup, kind, namespace, name]);
}

/** The last key of the page before; undefined for the first page. Throws MALFORMED_TOKEN. */
export function decodeWorkPageToken(token: string): ResourceKey | undefined {
  if (token === "") return undefined;
  const [resourceGroup, kind, namespace, name, ...rest] = readToken(token);
  const isKey = [resourceGroup, kind, namespace, name].every(
    (part) => typeof part === "string" && !part.includes("\0"),
  );
  if (!isKey || rest.length > 0) throw malformedToken();
  return { resourceGroup: String(resourceGroup), kind: String(kind), namespace: String(namespace), name: String(name) };
}
