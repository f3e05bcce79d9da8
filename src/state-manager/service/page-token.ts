import { createHash } from "node:crypto";
import { DomainError, invalidField } from "../../resource/errors.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";

/** Where a list goes on. */
export interface PagePosition {
  /** The `id` of the last resource of the page before. */
  readonly afterId: bigint;
  /** The position before the first page was read; every page of one list carries it. */
  readonly resumeToken: string;
}

/** What a list selects; a page token counts for this selection alone. */
export interface Selection {
  readonly filter: ResourceFilter;
  readonly pendingOnly: boolean;
}

const VERSION = 1;
/** A resume token has at most 2,048 characters. */
const MAX_CHARACTERS = 4_096;
const MAX_ID = 2n ** 63n - 1n;

/** Writes an opaque page token: base64url of a JSON array that starts with a version. */
export function encodePageToken(position: PagePosition, selection: Selection): string {
  const content = [VERSION, String(position.afterId), digest(selection), position.resumeToken];
  return Buffer.from(JSON.stringify(content)).toString("base64url");
}

/** Reads a page token. Throws INVALID_ARGUMENT for a text no server wrote and for the token of another selection. */
export function decodePageToken(token: string, selection: Selection): PagePosition {
  const [version, afterId, selected, resumeToken, ...rest] = parse(token);
  const isValid =
    version === VERSION &&
    isId(afterId) &&
    typeof selected === "string" &&
    typeof resumeToken === "string" &&
    rest.length === 0;
  if (!isValid) {
    const message = "page_token must be a token as the page before returned it; start again without one";
    throw new DomainError("INVALID_ARGUMENT", "MALFORMED_TOKEN", message, { field: "page_token" });
  }
  if (selected !== digest(selection)) {
    throw invalidField("page_token", "belongs to a list with another filter; start that list again without a token");
  }
  return { afterId: BigInt(afterId), resumeToken };
}

function parse(token: string): readonly unknown[] {
  if (token.length > MAX_CHARACTERS) return [];
  try {
    const content: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    return Array.isArray(content) ? content : [];
  } catch {
    // Not JSON: no token of ours, which the caller says.
    return [];
  }
}

function isId(value: unknown): value is string {
  return typeof value === "string" && /^\d{1,19}$/.test(value) && BigInt(value) <= MAX_ID;
}

/** Tells selections apart; no secret, so 96 bits are plenty. */
function digest({ filter, pendingOnly }: Selection): string {
  const { resourceGroup, kind, namespace, name, shardId, ownerUid, labels } = filter;
  const requirements = labels?.requirements.map(({ key, values }) => [key, values]);
  const content = [resourceGroup, kind, namespace, name, shardId, requirements, pendingOnly].map(
    (part) => part ?? null,
  );
  // Only when it selects, so that tokens of other lists mean the same to programs without owners.
  if (ownerUid !== undefined) content.push(ownerUid);
  return createHash("sha256").update(JSON.stringify(content)).digest("base64url").slice(0, 16);
}
