import { invalidField } from "../../resource/errors.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { digest, isCounter, malformedToken, readToken, writeToken } from "./token-text.js";

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

/** Writes an opaque page token. */
export function encodePageToken(position: PagePosition, selection: Selection): string {
  return writeToken([VERSION, String(position.afterId), digestOf(selection), position.resumeToken]);
}

/** Reads a page token. Throws INVALID_ARGUMENT for a text no server wrote and for the token of another selection. */
export function decodePageToken(token: string, selection: Selection): PagePosition {
  const [version, afterId, selected, resumeToken, ...rest] = readToken(token);
  const isValid =
    version === VERSION &&
    isCounter(afterId) &&
    typeof selected === "string" &&
    typeof resumeToken === "string" &&
    rest.length === 0;
  if (!isValid) throw malformedToken();
  if (selected !== digestOf(selection)) {
    throw invalidField("page_token", "belongs to a list with another filter; start that list again without a token");
  }
  return { afterId: BigInt(afterId), resumeToken };
}

/** Tells selections apart. */
function digestOf({ filter, pendingOnly }: Selection): string {
  const { resourceGroup, kind, namespace, name, shardId, ownerUid, labels } = filter;
  const requirements = labels?.requirements.map(({ key, values }) => [key, values]);
  const content = [resourceGroup, kind, namespace, name, shardId, requirements, pendingOnly].map(
    (part) => part ?? null,
  );
  // Only when it selects, so that tokens of other lists mean the same to programs without owners.
  if (ownerUid !== undefined) content.push(ownerUid);
  return digest(JSON.stringify(content));
}
