import { WorkState } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { PayloadEncoding } from "../../gen/reconcile/v1/resource_pb.js";
import { ApplyResult, DeletionPropagation } from "../../gen/reconcile/v1/resource_service_pb.js";
import type { ResourceKey } from "../resource/key.js";
import { timerMs } from "../shared/timer-limit.js";
import { ApiError, isNotFound } from "./api-error.js";
import { type ClientHistoryEntry, readHistoryEntry } from "./client-history.js";
import { type ClientKinds, readKinds } from "./client-kinds.js";
import { type ClientResource, readResource } from "./client-resource.js";
import { type ClientServerStatus, readServerStatus } from "./client-server.js";
import {
  type ClientListedWork,
  type ClientSession,
  type ClientWork,
  nameIn,
  readListedWork,
  readSession,
  readWork,
} from "./client-work.js";
import type { Connection } from "./connection.js";
import { jsonText } from "./json-value.js";
import { type ResourceDraft, type WriteGuard, type WriteOptions, writeDraft, writeTerms } from "./resource-draft.js";
import { type ClientWatchBatch, type WatchOptions, watchResources } from "./resource-watch.js";
import { retryUnavailable } from "./retry.js";

/** Selects resources; what is left out matches everything. */
export interface ResourceSelection {
  readonly resourceGroup?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly shardId?: string;
  /** For example `tier in (web, api), env in (prod)`. */
  readonly labelSelector?: string;
  /** Only what belongs to the resource with this uid. */
  readonly ownerUid?: string;
}

/** How a list is read. */
export interface ListOptions {
  /** Only what waits for a reconciler; default: false. */
  readonly pending?: boolean;
  /** 1 to 10,000; default: 500. */
  readonly pageSize?: number;
  /** A small first page shows something sooner; default: `pageSize`. */
  readonly firstPageSize?: number;
  /** Without spec, and of the status only its conditions, for tables; default: false. */
  readonly isSummary?: boolean;
}

/** Selects work; what is left out matches everything. */
export interface WorkFilter {
  readonly resourceGroup?: string;
  readonly kind?: string;
  readonly state?: Exclude<ClientWork["state"], "SETTLED">;
}

/** What an apply did, or with `dryRun` would do. */
export interface Applied<Spec, Status> {
  readonly resource: ClientResource<Spec, Status>;
  readonly result: keyof typeof ApplyResult;
  readonly isChanged: boolean;
  /** With `dryRun`: what is stored; undefined when the key is free. */
  readonly previous: ClientResource<Spec, Status> | undefined;
}

/** What a deletion does to the resources that belong to the deleted one; see DeletionPropagation in the contract. */
export type Propagation = keyof typeof PROPAGATION;

/**
 * Reads, writes and watches resources.
 *
 * Calls that may be repeated safely are, while the server is UNAVAILABLE, until the timeout. `create`, `update` and a
 * guarded `updateStatus` are sent once: after a lost answer only the caller can tell its own write from another's.
 * Every method rejects with {@link ApiError}.
 */
export class ResourceClient {
  readonly #connection: Connection;
  readonly #timeoutMs: number;

  /**
   * Works over `connection`, which `close` then closes; `createResourceClient` opens one. `timeoutMs`: how long a call may
   * take, all its tries together; the default covers a server's restart. Longer than a timer can wait (24.8 days) is as long as that.
   */
  constructor(connection: Connection, timeoutMs = 30_000) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /** Creates; `isAlreadyExists` when the key is taken. */
  async create<Spec, Status>(
    draft: ResourceDraft,
    { dryRun = false }: WriteOptions = {},
  ): Promise<ClientResource<Spec, Status>> {
    const request = { resource: writeDraft(draft), dryRun, ...JSON_TEXT };
    const answer = await this.#once((options) => this.#api.createResource(request, options));
    return readResource(answer.resource);
  }

  /** Reads one, strongly consistent; undefined when there is none. */
  async get<Spec, Status>(key: ResourceKey): Promise<ClientResource<Spec, Status> | undefined> {
    try {
      const answer = await this.#retried((options) => this.#api.getResource({ key, ...JSON_TEXT }, options));
      return readResource(answer.resource);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Lists in the order of creation, fetching pages as they are needed. */
  async *list<Spec, Status>(
    selection: ResourceSelection,
    { pending = false, pageSize = 500, firstPageSize = pageSize, isSummary = false }: ListOptions = {},
  ): AsyncGenerator<ClientResource<Spec, Status>, void, undefined> {
    const payloadEncoding = isSummary ? PayloadEncoding.SUMMARY : PayloadEncoding.JSON;
    const request = { filter: selection, pending, payloadEncoding };
    const pages = this.#pages((page, options) => {
      const size = page.pageToken === "" ? firstPageSize : pageSize;
      return this.#api.listResources({ ...request, ...page, pageSize: size }, options);
    });
    for await (const { resources } of pages) for (const resource of resources) yield readResource(resource);
  }

  /** Replaces the whole desired state of an existing resource. */
  async update<Spec, Status>(
    draft: ResourceDraft,
    terms: WriteGuard & WriteOptions = {},
  ): Promise<ClientResource<Spec, Status>> {
    const request = { resource: writeDraft(draft), ...writeTerms(terms), ...JSON_TEXT };
    const answer = await this.#once((options) => this.#api.updateResource(request, options));
    return readResource(answer.resource);
  }

  /** Creates or updates; writes nothing when nothing differs. Without finalizers in the draft they stay as they are. */
  async apply<Spec, Status>(
    draft: ResourceDraft,
    { dryRun = false }: WriteOptions = {},
  ): Promise<Applied<Spec, Status>> {
    const request = { resource: writeDraft(draft), dryRun, ...JSON_TEXT };
    const answer = await this.#retried((options) => this.#api.applyResource(request, options));
    return {
      resource: readResource(answer.resource),
      result: nameIn(ApplyResult, answer.result),
      isChanged: answer.result !== ApplyResult.UNCHANGED,
      previous: answer.previous && readResource(answer.previous),
    };
  }

  /** Replaces the status, which must be a JSON value as `spec` of a draft; `observedGeneration` says which desired state it describes (unset: unchanged). */
  async updateStatus<Spec, Status>(
    key: ResourceKey,
    status: Status,
    options: { readonly observedGeneration?: bigint; readonly guard?: Omit<WriteGuard, "uid"> } & WriteOptions = {},
  ): Promise<ClientResource<Spec, Status>> {
    const { observedGeneration, guard = {}, dryRun = false } = options;
    const request = {
      key,
      statusJson: jsonText("status", status),
      ...(observedGeneration !== undefined && { observedGeneration }),
      ...writeTerms({ ...guard, dryRun }),
      ...JSON_TEXT,
    };
    const isGuarded = guard.revision !== undefined || guard.generation !== undefined;
    const call = (options: CallOptions) => this.#api.updateResourceStatus(request, options);
    const answer = await (isGuarded ? this.#once(call) : this.#retried(call));
    return readResource(answer.resource);
  }

  /**
   * Removes, or requests the deletion while finalizers hold it; `isNotFound` when there is none. `propagation` says what
   * becomes of what belongs to it; default: `background`. The first request decides. `uid`: of what was deleted; empty when an
   * answer was lost.
   */
  async delete(
    key: ResourceKey,
    options: Omit<WriteGuard, "generation"> & WriteOptions & { readonly propagation?: Propagation } = {},
  ): Promise<{ readonly removed: boolean; readonly uid: string }> {
    const { propagation = "background", ...terms } = options;
    const request = { key, ...writeTerms(terms), propagation: PROPAGATION[propagation] };
    return await this.#retried(async (call) => {
      try {
        const { removed, resource } = await this.#api.deleteResource(request, call);
        return { removed, uid: resource?.uid ?? "" };
      } catch (error) {
        // The answer to an earlier try was lost: that one removed it.
        if (call.attempt > 1 && !terms.dryRun && isNotFound(ApiError.from(error))) {
          return { removed: true, uid: terms.uid ?? "" };
        }
        throw error;
      }
    });
  }

  /**
   * Takes one finalizer off a resource that will not go; what it protected may stay behind. `message` says why and who says
   * so, and is recorded. `isNotFound` when there is no such resource or finalizer. Sent once.
   */
  async forceRemoveFinalizer<Spec, Status>(
    key: ResourceKey,
    finalizer: string,
    message: string,
    terms: Pick<WriteGuard, "uid"> & WriteOptions = {},
  ): Promise<{ readonly removed: boolean; readonly resource: ClientResource<Spec, Status> }> {
    const request = { key, finalizer, message, ...writeTerms(terms), ...JSON_TEXT };
    const { removed, resource } = await this.#once((options) => this.#api.forceRemoveFinalizer(request, options));
    return { removed, resource: readResource(resource) };
  }

  /** Streams changes across reconnects; see {@link watchResources}. */
  watch<Spec, Status>(
    selection: ResourceSelection,
    options: WatchOptions,
  ): AsyncGenerator<ClientWatchBatch<Spec, Status>, void, undefined> {
    return watchResources(this.#api, selection, options);
  }

  /** Asks for a reconcile pass now: how an outside event reaches the queue. `isNotFound` when there is no such resource. */
  async enqueue(key: ResourceKey, message: string): Promise<void> {
    await this.#retried((options) => this.#connection.reconcilers.enqueue({ key, message }, options));
  }

  /** Ends the quarantine of a resource; rejects with reason NOT_QUARANTINED when it is in none. */
  async releaseQuarantine(key: ResourceKey, { dryRun = false }: WriteOptions = {}): Promise<void> {
    await this.#retried(async (options) => {
      try {
        await this.#connection.reconcilers.releaseQuarantine({ key, dryRun }, options);
      } catch (error) {
        // The answer to an earlier try was lost: that one released it.
        if (options.attempt === 1 || dryRun || ApiError.from(error).reason !== "NOT_QUARANTINED") throw error;
      }
    });
  }

  /** Why a resource waits, who works on it, and what keeps it from going. `isNotFound` when there is none. */
  async getWork(key: ResourceKey): Promise<ClientWork> {
    return readWork(await this.#retried((options) => this.#connection.reconcilers.getWork({ key }, options)));
  }

  /** The queue's entries, by key, fetching pages as they are needed. */
  async *listWork(filter: WorkFilter = {}): AsyncGenerator<ClientListedWork, void, undefined> {
    const { resourceGroup = "", kind = "", state = "UNSPECIFIED" } = filter;
    const request = { resourceGroup, kind, state: WorkState[state], pageSize: WORK_PAGE_SIZE };
    const pages = this.#pages((page, options) =>
      this.#connection.reconcilers.listWork({ ...request, ...page }, options),
    );
    for await (const { items } of pages) for (const item of items) yield readListedWork(item);
  }

  /** The live sessions of all workers, by reconciler and instance. */
  async reconcilers(): Promise<readonly ClientSession[]> {
    const answer = await this.#retried((options) => this.#connection.reconcilers.listReconcilers({}, options));
    return answer.sessions.map(readSession);
  }

  /** The kinds there are, with what they hold and how they do. */
  async kinds(): Promise<ClientKinds> {
    return readKinds(await this.#retried((options) => this.#api.listKinds({}, options)));
  }

  /**
   * What the log has kept of a key, newest first, fetching pages as they are needed. Earlier resources of the same key are in
   * it too: their uid differs.
   */
  async *history<Spec, Status>(
    key: ResourceKey,
    { pageSize = 50 } = {},
  ): AsyncGenerator<ClientHistoryEntry<Spec, Status>, void, undefined> {
    const request = { key, pageSize, ...JSON_TEXT };
    const pages = this.#pages((page, options) => this.#api.getHistory({ ...request, ...page }, options));
    for await (const { entries } of pages) for (const entry of entries) yield readHistoryEntry(entry);
  }

  /** The server that answers and what it stands on; also while PostgreSQL or Redis do not answer it. */
  async serverStatus(): Promise<ClientServerStatus> {
    return readServerStatus(await this.#retried((options) => this.#connection.server.getServerStatus({}, options)));
  }

  /** Ends every call and watch at once. Twice is safe. */
  close(): void {
    this.#connection.close();
  }

  get #api(): Connection["resources"] {
    return this.#connection.resources;
  }

  /** Fetches a page when the one before is used up. */
  async *#pages<Page extends { readonly nextPageToken: string }>(
    fetch: (page: { readonly pageToken: string }, options: CallOptions) => Promise<Page>,
  ): AsyncGenerator<Page, void, undefined> {
    for (let pageToken = ""; ; ) {
      const page = await this.#retried((options) => fetch({ pageToken }, options));
      yield page;
      pageToken = page.nextPageToken;
      if (pageToken === "") return;
    }
  }

  #retried<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    return retryUnavailable(this.#timeoutMs, call);
  }

  async #once<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    try {
      return await call({ timeoutMs: timerMs(this.#timeoutMs), attempt: 1 });
    } catch (error) {
      throw ApiError.from(error);
    }
  }
}

interface CallOptions {
  readonly timeoutMs: number;
  /** Counts from 1. */
  readonly attempt: number;
}

/** Lossless and several times cheaper than google.protobuf.Value (2.10). */
const JSON_TEXT = { payloadEncoding: PayloadEncoding.JSON };

/** Small rows: fewer round trips. */
const WORK_PAGE_SIZE = 1_000;

const PROPAGATION = {
  background: DeletionPropagation.BACKGROUND,
  foreground: DeletionPropagation.FOREGROUND,
  orphan: DeletionPropagation.ORPHAN,
} as const;
