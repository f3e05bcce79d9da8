import type { ClientResource } from "../client/client-resource.js";
import type { ResourceClient, ResourceSelection } from "../client/resource-client.js";
import type { ClientWatchEvent } from "../client/resource-watch.js";
import type { ResourceKey } from "../resource/key.js";
import { InformerCache } from "./informer-cache.js";

/** What happened to a resource that an informer holds. */
export interface InformerChange<Spec = unknown, Status = unknown> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** For DELETED the last state. */
  readonly resource: ClientResource<Spec, Status>;
  /** Undefined for ADDED. */
  readonly previous: ClientResource<Spec, Status> | undefined;
}

/** How an informer behaves. */
export interface InformerOptions<Spec, Status, IndexName extends string> {
  /** Under which values each index finds a resource; none: it does not. Asked once per state, so it must always say the same. */
  readonly indexes?: Readonly<Record<IndexName, (resource: ClientResource<Spec, Status>) => readonly string[]>>;
  /** The most it holds; more end it with an error. Default 100,000. */
  readonly maxResources?: number;
}

/** A copy of the selected resources in memory, kept up to date by a watch; read-only. */
export interface Informer<Spec, Status, IndexName extends string> {
  /** Resolves when everything that existed is here; rejects with what ended the informer before. */
  synced(): Promise<void>;
  /** Undefined when there is none, or it is not here yet. This and the other reads throw once an error has ended the informer. */
  get(key: ResourceKey): ClientResource<Spec, Status> | undefined;
  list(): readonly ClientResource<Spec, Status>[];
  /** The resources that an index has under a value. */
  byIndex(name: IndexName, value: string): readonly ClientResource<Spec, Status>[];
  /** Calls after every change, the initial state included, and until what it returns is called. What it throws ends the informer. */
  onChange(listener: (change: InformerChange<Spec, Status>) => void): () => void;
  /** Ends the watch; the reads keep answering with what was last known. Twice is safe. */
  close(): void;
}

const MAX_RESOURCES = 100_000;

/**
 * Lists and watches what is selected. Survives restarts of the server, and a history that went on without it: then it lists again
 * and tells of the differences. It is behind by the time a change takes to arrive: read with the client what must be current.
 */
export function createInformer<Spec = unknown, Status = unknown, IndexName extends string = never>(
  client: Pick<ResourceClient, "watch">,
  selection: ResourceSelection,
  options: InformerOptions<Spec, Status, IndexName> = {},
): Informer<Spec, Status, IndexName> {
  const cache = new InformerCache<Spec, Status>(options.indexes ?? {}, options.maxResources ?? MAX_RESOURCES);
  const listeners = new Set<(change: InformerChange<Spec, Status>) => void>();
  const closing = new AbortController();
  let ended: { readonly error: unknown } | undefined;
  let settle: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  const synced = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  synced.catch(() => {}); // whoever asks sees it, and so does every read

  const take = (event: ClientWatchEvent<Spec, Status>) => {
    for (const change of cache.take(event)) for (const listener of listeners) listener(change);
    if (event.type === "SYNCED") settle?.resolve();
  };
  const follow = async () => {
    const watched = client.watch<Spec, Status>(selection, { sendInitialState: true, signal: closing.signal });
    for await (const { events } of watched) for (const event of events) take(event);
    throw new Error("the informer was closed before it was synced");
  };
  follow().catch((error: unknown) => {
    if (!closing.signal.aborted) ended = { error };
    closing.abort();
    settle?.reject(error);
  });

  const read = <T>(answer: () => T): T => {
    if (ended !== undefined) throw ended.error;
    return answer();
  };
  return {
    synced: () => synced,
    get: (key) => read(() => cache.get(key)),
    list: () => read(() => cache.list()),
    byIndex: (name, value) => read(() => cache.byIndex(name, value)),
    onChange: (listener) => {
      const own = (change: InformerChange<Spec, Status>) => listener(change); // so that one function may be added twice
      listeners.add(own);
      return () => listeners.delete(own);
    },
    close: () => closing.abort(),
  };
}
