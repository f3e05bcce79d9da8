import { invalidField } from "../../resource/errors.js";
import { keyId, type ResourceKey } from "../../resource/key.js";
import type { HistoryPosition } from "../store/store.js";
import { digest, isCounter, malformedToken, readToken, writeToken } from "./token-text.js";

const VERSION = 1;

/** Writes the opaque token of a page of a key's history; it counts for this key alone. */
export function encodeHistoryToken({ revision, log }: HistoryPosition, key: ResourceKey): string {
  return writeToken([VERSION, String(revision), log, digest(keyId(key))]);
}

/** Where a history goes on. Throws INVALID_ARGUMENT for a text no server wrote and for the token of another key. */
export function decodeHistoryToken(token: string, key: ResourceKey): HistoryPosition {
  const [version, revision, log, of, ...rest] = readToken(token);
  const isLog = typeof log === "number" && Number.isInteger(log) && log >= 0 && log < 64;
  if (version !== VERSION || !isCounter(revision) || !isLog || typeof of !== "string" || rest.length > 0) {
    throw malformedToken();
  }
  if (of !== digest(keyId(key))) {
    throw invalidField("page_token", "belongs to the history of another resource; start this one without a token");
  }
  return { revision: BigInt(revision), log };
}
