import type { Interceptor } from "@connectrpc/connect";
import { PayloadEncoding } from "../../gen/reconcile/v1/resource_pb.js";
import { ApplyResult, DeletionPropagation } from "../../gen/reconcile/v1/resource_service_pb.js";
import type { ResourceKey } from "../resource/key.js";
import { ApiError, isNotFound } from "./api-error.js";
import { type ClientResource, type ResourceOwner, readResource } from "./client-resource.js";
import { type ClientWork, readWork } from "./client-work.js";
import { type Connection, connect } from "./connection.js";
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

/** Names an owner in a write; without `uid` whoever has the name now is meant. */
export type OwnerReference = Omit<ResourceOwner, "uid"> & Partial<Pick<ResourceOwner, "uid">>;

/** The desired state to write. `spec` is written with JSON.stringify; `specJson` is written as it is. */
export interface ResourceDraft {
  readonly key: ResourceKey;
  /** Defaults to `default`. */
  readonly shardId?: string;
  readonly labels?: ReadonlyMap<string, string>;
  readonly annotations?: ReadonlyMap<string, string>;
  readonly finalizers?: readonly string[];
  /** The resource of the same namespace that it belongs to; null: none. Left out: as it is stored. */
  readonly owner?: OwnerReference | null;
  readonly spec?: unknown;
  readonly specJson?: string;
}

/** What a deletion does to the resources that belong to the deleted one; see DeletionPropagation in the contract. */
export type Propagation = keyof typeof PROPAGATION;

/** What the writer saw; the write is refused (`isConflict`) when something else is stored. */
export interface WriteGuard {
  readonly revision?: bigint;
  readonly generation?: bigint;
  readonly uid?: string;
}

/** How a client behaves. */
export interface ClientOptions {
  /** How long a call may take, all its tries together; the default of 30 s covers a server's restart. */
  readonly timeoutMs?: number;
  /** Run around every call, for example to set an Authorization header. */
  readonly interceptors?: readonly Interceptor[];
}

/** Opens a client for the state-manager at `baseUrl`, for example `http://127.0.0.1:8080`. Connects at the first call. */
export function createResourceClient(baseUrl: string, options: ClientOptions = {}): ResourceClient {
  return new ResourceClient(connect(baseUrl, options.interceptors), options.timeoutMs ?? 30_000);
}

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

  /** Works over `connection`, which `close` then closes; `createResourceClient` opens one. */
  constructor(connection: Connection, timeoutMs: number) {
    this.#connection = connection;
    this.#timeoutMs = timeoutMs;
  }

  /** Creates; `isAlreadyExists` when the key is taken. */
  async create<Spec, Status>(draft: ResourceDraft): Promise<ClientResource<Spec, Status>> {
    const answer = await this.#once((options) =>
      this.#api.createResource({ resource: write(draft), ...JSON_TEXT }, options),
    );
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

  /** Lists in the order of creation, fetching pages as they are needed. `pending`: only what waits for a reconciler. */
  async *list<Spec, Status>(
    selection: ResourceSelection,
    { pending = false, pageSize = 500 } = {},
  ): AsyncGenerator<ClientResource<Spec, Status>, void, undefined> {
    for (let pageToken = ""; ; ) {
      const request = { filter: selection, pending, pageSize, pageToken, ...JSON_TEXT };
      const page = await this.#retried((options) => this.#api.listResources(request, options));
      for (const resource of page.resources) yield readResource(resource);
      pageToken = page.nextPageToken;
      if (pageToken === "") return;
    }
  }

  /** Replaces the whole desired state of an existing resource. */
  async update<Spec, Status>(draft: ResourceDraft, guard: WriteGuard = {}): Promise<ClientResource<Spec, Status>> {
    const request = { resource: write(draft), ...expect(guard), ...JSON_TEXT };
    const answer = await this.#once((options) => this.#api.updateResource(request, options));
    return readResource(answer.resource);
  }

  /** Creates or updates; writes nothing when nothing differs. Without finalizers in the draft they stay as they are. */
  async apply<Spec, Status>(
    draft: ResourceDraft,
  ): Promise<{ readonly resource: ClientResource<Spec, Status>; readonly isChanged: boolean }> {
    const request = { resource: write(draft), ...JSON_TEXT };
    const answer = await this.#retried((options) => this.#api.applyResource(request, options));
    return { resource: readResource(answer.resource), isChanged: answer.result !== ApplyResult.UNCHANGED };
  }

  /** Replaces the status; `observedGeneration` says which desired state it describes (unset: unchanged). */
  async updateStatus<Spec, Status>(
    key: ResourceKey,
    status: Status,
    options: { readonly observedGeneration?: bigint; readonly guard?: Omit<WriteGuard, "uid"> } = {},
  ): Promise<ClientResource<Spec, Status>> {
    const { observedGeneration, guard = {} } = options;
    const request = {
      key,
      statusJson: JSON.stringify(status),
      ...(observedGeneration !== undefined && { observedGeneration }),
      ...expect(guard),
      ...JSON_TEXT,
    };
    const isGuarded = guard.revision !== undefined || guard.generation !== undefined;
    const call = (options: CallOptions) => this.#api.updateResourceStatus(request, options);
    const answer = await (isGuarded ? this.#once(call) : this.#retried(call));
    return readResource(answer.resource);
  }

  /**
   * Removes, or requests the deletion while finalizers hold it; `isNotFound` when there is none. `propagation` says what
   * becomes of what belongs to it; default: `background`. The first request decides.
   */
  async delete(
    key: ResourceKey,
    options: Omit<WriteGuard, "generation"> & { readonly propagation?: Propagation } = {},
  ): Promise<{ readonly removed: boolean }> {
    const { propagation = "background", ...guard } = options;
    const request = { key, ...expect(guard), propagation: PROPAGATION[propagation] };
    return await this.#retried(async (call) => {
      try {
        return { removed: (await this.#api.deleteResource(request, call)).removed };
      } catch (error) {
        // The answer to an earlier try was lost: that one removed it.
        if (call.attempt > 1 && isNotFound(ApiError.from(error))) return { removed: true };
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
    guard: Pick<WriteGuard, "uid"> = {},
  ): Promise<{ readonly removed: boolean; readonly resource: ClientResource<Spec, Status> }> {
    const request = { key, finalizer, message, ...expect(guard), ...JSON_TEXT };
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
  async releaseQuarantine(key: ResourceKey): Promise<void> {
    await this.#retried(async (options) => {
      try {
        await this.#connection.reconcilers.releaseQuarantine({ key }, options);
      } catch (error) {
        // The answer to an earlier try was lost: that one released it.
        if (options.attempt === 1 || ApiError.from(error).reason !== "NOT_QUARANTINED") throw error;
      }
    });
  }

  /** Why a resource waits, who works on it, and what keeps it from going. `isNotFound` when there is none. */
  async getWork(key: ResourceKey): Promise<ClientWork> {
    return readWork(await this.#retried((options) => this.#connection.reconcilers.getWork({ key }, options)));
  }

  /** Ends every call and watch at once. Twice is safe. */
  close(): void {
    this.#connection.close();
  }

  get #api(): Connection["resources"] {
    return this.#connection.resources;
  }

  #retried<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    return retryUnavailable(this.#timeoutMs, call);
  }

  async #once<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    try {
      return await call({ timeoutMs: this.#timeoutMs, attempt: 1 });
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

const PROPAGATION = {
  background: DeletionPropagation.BACKGROUND,
  foreground: DeletionPropagation.FOREGROUND,
  orphan: DeletionPropagation.ORPHAN,
} as const;

/** How the wire says that a resource has no owner: unset would leave the stored one. */
const NO_OWNER = { resourceGroup: "", kind: "", name: "", uid: "" };

function write(draft: ResourceDraft) {
  const { owner } = draft;
  const { key, shardId = "default", labels = [], annotations = [], finalizers = [], spec = null } = draft;
  return {
    key,
    shardId,
    labels: Object.fromEntries(labels),
    annotations: Object.fromEntries(annotations),
    finalizers: [...finalizers],
    ...(owner !== undefined && { owner: owner ?? NO_OWNER }),
    specJson: draft.specJson ?? JSON.stringify(spec),
  };
}

function expect({ revision, generation, uid }: WriteGuard) {
  return {
    ...(revision !== undefined && { expectedRevision: revision }),
    ...(generation !== undefined && { expectedGeneration: generation }),
    ...(uid !== undefined && { expectedUid: uid }),
  };
}
