import type { Logger } from "pino";
import type { Command, DeletionPropagation, Outcome, Precondition, ResourceInput } from "../../resource/command.js";
import { DomainError, invalidField } from "../../resource/errors.js";
import type { ResourceKey } from "../../resource/key.js";
import { requireExisting } from "../../resource/preconditions.js";
import type { Resource } from "../../resource/resource.js";
import {
  type StatusWrite,
  validateFilter,
  validateForce,
  validateInput,
  validateKey,
  validatePrecondition,
  validateStatusWrite,
} from "../../resource/validate.js";
import type { BulkSink, HistoryEntry, KindSummary, ResourceReader } from "../store/store.js";
import type { WatchSource } from "../watch/watch.js";
import { type AppliedAll, type ApplyAllOptions, applyAll, type ResourceInputs } from "./apply-all.js";
import { decodeHistoryToken, encodeHistoryToken } from "./history-token.js";
import { decodePageToken, encodePageToken, type Selection } from "./page-token.js";
import { SharedAnswer } from "./shared-answer.js";

/** STRONG sees every acknowledged write; CACHED may be behind by the cache's lag. */
export type Consistency = "STRONG" | "CACHED";

/** Reads the cache, and the store for what it does not have; undefined when there is no such resource. */
export interface CacheReader {
  get(key: ResourceKey): Promise<Resource | undefined>;
}

/** What to list. */
export interface ListRequest extends Selection {
  /** Of the page before; empty for the first page. */
  readonly pageToken: string;
  /** Resources to skip first; for the REST dialect, and not together with `pageToken`. */
  readonly offset: number;
  /** 1 to 10,000, which the edge checks: it knows by which name the caller calls it. */
  readonly limit: number;
  /** For tables: without spec. */
  readonly withoutSpec?: boolean | undefined;
  /** Payload bytes; a page that would be larger is shorter than `limit`, and a token leads on. */
  readonly maxBytes: number;
}

/** One page of a list. */
export interface ListPage {
  readonly resources: readonly Resource[];
  /** Undefined on the last page. */
  readonly nextPageToken: string | undefined;
  /** The position before the first page was read, the same on every page: watch from here to miss nothing. */
  readonly resumeToken: string;
}

/** What a write did, and the resource after it; for REMOVED its last state. */
export interface WriteResult {
  readonly outcome: Outcome;
  readonly resource: Resource;
  /** Before the write; undefined when there was none. */
  readonly previous: Resource | undefined;
}

/** How a write is done. */
export interface WriteOptions {
  /** Decide, check and answer as always, but write nothing (store/dry-run.ts); default: false. */
  readonly dryRun?: boolean | undefined;
}

/** What part of a key's history is wanted. */
export interface HistoryRequest {
  readonly key: ResourceKey;
  /** Of the page before; empty for the first page. */
  readonly pageToken: string;
  /** 1 to 1,000, which the edge checks. */
  readonly limit: number;
  readonly maxBytes: number;
}

/** Every kind, and when it was counted. */
export interface KindCounts {
  readonly kinds: readonly KindSummary[];
  readonly countedAt: Date;
}

/** What the service stands on. */
export interface ResourceServiceOptions {
  readonly sink: BulkSink;
  /** Decides like `sink`, and writes nothing. */
  readonly dryRun: BulkSink;
  readonly reader: ResourceReader;
  /** Undefined: CACHED reads are STRONG ones. */
  readonly cache?: CacheReader | undefined;
  readonly watch: Pick<WatchSource, "tokenFor">;
  readonly logger?: Pick<Logger, "info" | "error"> | undefined;
}

/**
 * The use cases of ResourceService and the REST dialect, in domain types: check, submit or read, answer.
 *
 * Every method rejects with DomainError. Who the caller is and what it may do is the edge's to know, before it calls.
 */
export class ResourceService {
  readonly #sink: BulkSink;
  readonly #dryRun: BulkSink;
  readonly #reader: ResourceReader;
  readonly #cache: CacheReader | undefined;
  readonly #watch: Pick<WatchSource, "tokenFor">;
  readonly #logger: Pick<Logger, "info" | "error"> | undefined;
  readonly #kinds: SharedAnswer<KindCounts>;

  constructor({ sink, dryRun, reader, cache, watch, logger }: ResourceServiceOptions) {
    this.#sink = sink;
    this.#dryRun = dryRun;
    this.#reader = reader;
    this.#cache = cache;
    this.#watch = watch;
    this.#logger = logger;
    this.#kinds = new SharedAnswer(async () => ({ kinds: await reader.countKinds(), countedAt: new Date() }));
  }

  /** Creates; ALREADY_EXISTS when the key is taken. */
  async create(input: ResourceInput, options?: WriteOptions): Promise<Resource> {
    validateInput(input);
    return (await this.#submit({ type: "create", input }, options)).resource;
  }

  /** Reads one; NOT_FOUND when there is none. */
  async get(key: ResourceKey, consistency: Consistency): Promise<Resource> {
    validateKey(key);
    const reader = consistency === "CACHED" ? (this.#cache ?? this.#reader) : this.#reader;
    return requireExisting(await reader.get(key), key);
  }

  /** Replaces the whole desired state; one whose deletion was requested is removed when no finalizer is left. */
  async update(input: ResourceInput, expected: Precondition, options?: WriteOptions): Promise<Resource> {
    validateInput(input);
    validatePrecondition(expected);
    return (await this.#submit({ type: "update", input, expected }, options)).resource;
  }

  /** Creates or updates; UNCHANGED when nothing differs, and then nothing is written. */
  async apply(input: ResourceInput, options?: WriteOptions): Promise<WriteResult> {
    validateInput(input);
    return this.#submit({ type: "apply", input }, options);
  }

  /**
   * Applies many, each as `apply` does, in runs that are written whole or not at all. Rejects when nothing was written; a run
   * that fails behind others is told beside their results.
   */
  async applyAll(inputs: ResourceInputs, options: ApplyAllOptions & WriteOptions): Promise<AppliedAll> {
    const applied = await applyAll(options.dryRun ? this.#dryRun : this.#sink, inputs, options);
    const error = applied.failure?.error;
    if (error !== undefined && !(error instanceof DomainError)) {
      this.#logger?.error({ err: error }, "resources could not be applied");
    }
    return applied;
  }

  /** Replaces the status, and the metadata when given. */
  async updateStatus(write: StatusWrite, options?: WriteOptions): Promise<Resource> {
    validateStatusWrite(write);
    validatePrecondition(write.expected);
    return (await this.#submit({ type: "update-status", ...write }, options)).resource;
  }

  /** REMOVED, or DELETION_REQUESTED while finalizers hold it; calling it again changes nothing. */
  async delete(
    key: ResourceKey,
    expected: Precondition,
    propagation: DeletionPropagation = "BACKGROUND",
    options?: WriteOptions,
  ): Promise<WriteResult> {
    validateKey(key);
    validatePrecondition(expected);
    return this.#submit({ type: "delete", key, expected, propagation }, options);
  }

  /** Takes one finalizer off, whoever it belongs to, and records who said so; REMOVED when the resource waited for no other. */
  async forceFinalizer(
    key: ResourceKey,
    finalizer: string,
    message: string,
    expected: Precondition,
    options?: WriteOptions,
  ): Promise<WriteResult> {
    validateForce(key, finalizer, message);
    validatePrecondition(expected);
    const result = await this.#submit({ type: "force-finalizer", key, finalizer, message, expected }, options);
    if (options?.dryRun !== true)
      this.#logger?.info({ ...key, uid: result.resource.uid, finalizer, message }, "finalizer forced off");
    return result;
  }

  /** Every kind that has resources or a reconciler; an answer may be some seconds old (SharedAnswer). */
  kinds(): Promise<KindCounts> {
    return this.#kinds.get();
  }

  /** One page of what the log has kept of a key, newest first; empty for a key nobody knows. */
  async history(request: HistoryRequest): Promise<{
    readonly entries: readonly HistoryEntry[];
    readonly nextPageToken: string | undefined;
  }> {
    const { key, pageToken, limit, maxBytes } = request;
    validateKey(key);
    const before = pageToken === "" ? undefined : decodeHistoryToken(pageToken, key);
    const { entries, next } = await this.#reader.history({ key, before, limit, maxBytes });
    return { entries, nextPageToken: next && encodeHistoryToken(next, key) };
  }

  /** One page, in the order of creation. */
  async list(request: ListRequest): Promise<ListPage> {
    validateFilter(request.filter);
    const { filter, pendingOnly, pageToken, offset, limit, withoutSpec, maxBytes } = request;
    if (offset > 0 && pageToken !== "")
      throw invalidField("offset", "must not be given with page_token; use one of them");
    const from = pageToken === "" ? undefined : decodePageToken(pageToken, request);
    const page = await this.#reader.list({
      filter,
      pendingOnly,
      afterId: from?.afterId ?? 0n,
      offset,
      limit,
      withoutSpec,
      maxBytes,
    });
    const resumeToken = from?.resumeToken ?? this.#watch.tokenFor(page.heads);
    const next = page.nextAfterId;
    return {
      resources: page.resources,
      nextPageToken: next === undefined ? undefined : encodePageToken({ afterId: next, resumeToken }, request),
      resumeToken,
    };
  }

  async #submit(command: Command, { dryRun = false }: WriteOptions = {}): Promise<WriteResult> {
    const { outcome, resource, previous } = await (dryRun ? this.#dryRun : this.#sink).submit(command);
    if (resource === undefined) throw new Error(`${command.type} ended as ${outcome} without a resource`);
    return { outcome, resource, previous };
  }
}
