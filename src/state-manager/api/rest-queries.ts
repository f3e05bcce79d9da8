import type { DeletionPropagation } from "../../resource/command.js";
import { invalidField } from "../../resource/errors.js";
import type { ResourceKey } from "../../resource/key.js";
import { PAGE_MAX_BYTES, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "../../resource/limits.js";
import { parseLabelSelector } from "../../resource/parse-label-selector.js";
import { cut, quote } from "../../resource/quote.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { validateFilter } from "../../resource/validate.js";
import type { HistoryRequest, ListRequest } from "../service/resource-service.js";
import type { WatchRequest } from "../watch/watch.js";
import { HISTORY_PAGE_SIZE, pageSize } from "./page-size.js";
import { strictQuery, writeQuery } from "./query-string.js";

/** The words that are true for Go's `strconv.ParseBool`, which existing clients write with; all others are false. */
const TRUE_WORDS: ReadonlySet<string | null> = new Set(["1", "t", "T", "true", "TRUE", "True"]);

/** The words that are false for it, too. */
const FALSE_WORDS: ReadonlySet<string> = new Set(["0", "f", "F", "false", "FALSE", "False"]);

const FILTER = ["resource_group", "kind", "namespace", "name", "shard_id", "owner_uid", "label_selector"];

const PAGE_SIZE = { default: PAGE_SIZE_DEFAULT, max: PAGE_SIZE_MAX };
/** Payload bytes of an array: it is built in memory, and must not be cut short without a word. */
const LIST_MAX_BYTES = 64 * 1024 * 1024;
/** Skipped rows are read all the same; whoever goes further pages by token. */
const OFFSET_MAX = 1_000_000_000;

/** What `GET /api/v1/resources` asks for. Throws INVALID_FIELD. */
export function decodeListQuery(query: URLSearchParams): ListRequest {
  const offset = integer(query.get("offset"));
  if (offset < 0n || offset > OFFSET_MAX)
    throw invalidField("offset", `must be 0 to ${OFFSET_MAX} (got ${cut(`${offset}`)})`);
  return {
    filter: decodeFilter(query),
    pendingOnly: TRUE_WORDS.has(query.get("pending")),
    pageToken: query.get("page_token") ?? "",
    offset: Number(offset),
    limit: pageSize("limit", integer(query.get("limit")), PAGE_SIZE),
    maxBytes: LIST_MAX_BYTES,
  };
}

/** What `GET /api/v1/watch` asks for; the header `Last-Event-ID` is not considered. Throws INVALID_FIELD. */
export function decodeWatchQuery(search: string): WatchRequest {
  const query = strictQuery(search, [...FILTER, "send_initial_state", "resume_token"]);
  const filter = decodeFilter(query);
  validateFilter(filter);
  return {
    filter,
    sendInitialState: decodeSwitch("send_initial_state", query),
    resumeToken: query.get("resume_token") || undefined,
  };
}

/** What `GET …/history` asks for. Throws INVALID_FIELD. */
export function decodeHistoryQuery(key: ResourceKey, search: string): HistoryRequest {
  const query = strictQuery(search, ["page_size", "page_token"]);
  const size = query.get("page_size") || "0";
  if (!/^-?\d+$/.test(size)) throw invalidField("page_size", `must be a whole number (got ${quote(size)})`);
  return {
    key,
    pageToken: query.get("page_token") ?? "",
    limit: pageSize("page_size", BigInt(size), HISTORY_PAGE_SIZE),
    maxBytes: PAGE_MAX_BYTES,
  };
}

/** Checks the query of a path that takes no parameter. Throws INVALID_FIELD. */
export function decodeNoQuery(search: string): void {
  strictQuery(search, []);
}

/** Whether a write only tells what it would do. */
export interface WriteOptions {
  readonly dryRun: boolean;
}

/** What the query of a write of the compatible dialect asks for. Throws INVALID_FIELD: what is not understood must not write. */
export function decodeWriteOptions(search: string): WriteOptions {
  return { dryRun: decodeSwitch("dry_run", writeQuery(search, ["dry_run"])) };
}

/** What the query of a `release` asks for. Throws INVALID_FIELD. */
export function decodeReleaseOptions(search: string): WriteOptions {
  return { dryRun: decodeSwitch("dry_run", strictQuery(search, ["dry_run"])) };
}

/** The words of a parameter that is true or false; false when it is absent. Others are refused, an empty one too. */
function decodeSwitch(name: string, query: URLSearchParams): boolean {
  const word = query.get(name);
  if (word === null || FALSE_WORDS.has(word)) return false;
  if (TRUE_WORDS.has(word)) return true;
  throw invalidField(name, `must be true or false (got ${quote(word)})`);
}

const PROPAGATIONS: ReadonlyMap<string, DeletionPropagation> = new Map([
  ["", "BACKGROUND"],
  ["background", "BACKGROUND"],
  ["foreground", "FOREGROUND"],
  ["orphan", "ORPHAN"],
]);

/** What the query of a `DELETE` asks for: also what becomes of what the resource owns. Throws INVALID_FIELD. */
export function decodeDeleteOptions(search: string): WriteOptions & { readonly propagation: DeletionPropagation } {
  const query = writeQuery(search, ["dry_run", "propagation"]);
  const word = query.get("propagation") ?? "";
  const propagation = PROPAGATIONS.get(word);
  if (propagation !== undefined) return { dryRun: decodeSwitch("dry_run", query), propagation };
  throw invalidField("propagation", `must be background, foreground or orphan (got ${quote(word)})`);
}

function decodeFilter(query: URLSearchParams): ResourceFilter {
  const selector = query.get("label_selector");
  return {
    resourceGroup: query.get("resource_group") || undefined,
    kind: query.get("kind") || undefined,
    namespace: query.get("namespace") || undefined,
    name: query.get("name") || undefined,
    shardId: query.get("shard_id") || undefined,
    ownerUid: query.get("owner_uid") || undefined,
    // An empty one is left out by clients that always write the parameter; a blank one is a mistake.
    labels: selector ? parseLabelSelector(selector) : undefined,
  };
}

/** Words that are no whole number count as 0, as existing clients expect; a URL's length bounds how many digits come. */
function integer(text: string | null): bigint {
  return text !== null && /^[+-]?\d+$/.test(text) ? BigInt(text.replace("+", "")) : 0n;
}
