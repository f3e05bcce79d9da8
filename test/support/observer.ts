/** Watchers that note what they are sent, come back after every break, and never trust what they cannot compare. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { PayloadEncoding, type Resource } from "../../gen/reconcile/v1/resource_pb.js";
import { EventType, ResourceService } from "../../gen/reconcile/v1/resource_service_pb.js";
import { ApiError } from "../../src/client/api-error.js";
import { pause, retryDelayMs } from "../../src/client/retry.js";
import { logOf } from "../../src/resource/log-of.js";
import { openSse } from "../state-manager/api/sse-client.js";
import { type Body, digest, type HistoryFilter, type Seen } from "./history.js";

/** How an observer watches. */
export interface ObserverOptions {
  /** Replicas; every reconnect goes to the next one. */
  readonly urls: readonly string[];
  readonly protocol: "sse" | "connect" | "grpc";
  readonly filter?: HistoryFilter;
  readonly sendInitialState?: boolean;
  /** Where to begin; the present when absent. */
  readonly token?: string;
  /** Cuts its own connection after this many events, again and again. */
  readonly cutEvery?: number;
  /** Awaited before more is read: how a slow reader is made. */
  readonly gate?: (observer: Observer) => Promise<unknown>;
  readonly logCount?: number;
}

/** Why the server would not go on; a break that may be resumed is none. */
export interface Refusal {
  /** Empty when the answer gave none: a plain HTTP status. */
  readonly reason: string;
  /** The RPC code, or `status 400`; empty for an error inside an SSE stream. */
  readonly code: string;
}

type Event = { readonly type: string; readonly body?: Body; readonly revision: number };

/** Ends after which coming back with the same token is pointless. */
const FINAL_REASONS = ["COMPACTED", "FOREIGN_TOKEN", "LINEAGE_LOST", "MALFORMED_TOKEN"];
const FINAL_CODES = ["INVALID_ARGUMENT", "OUT_OF_RANGE", "status 400"];

/** A watcher until `stop` or until it is refused. */
export class Observer {
  /** Changes in the order they came, without the initial state. */
  readonly seen: Seen[] = [];
  /** What the initial state brought. */
  readonly initial: Seen[] = [];
  /** The reasons with which connections ended that were then resumed; its own cuts are not among them. */
  readonly interruptions: string[] = [];
  readonly #options: ObserverOptions;
  readonly #stop = new AbortController();
  readonly #finished: Promise<void>;
  #cut: (() => void) | undefined;
  #isSynced: boolean;
  token: string;
  connects = 0;
  refusal: Refusal | undefined;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.token = options.token ?? "";
    this.#isSynced = options.sendInitialState !== true;
    this.#finished = this.#run();
  }

  /** Whether it knows where it is: from here on nothing may be missed. */
  get isPlaced(): boolean {
    return this.token !== "" && this.#isSynced;
  }

  /** The last revision seen. */
  get revision(): number {
    return this.seen.at(-1)?.revision ?? 0;
  }

  /** Breaks its connection, wherever it is; it comes back with its token at the next replica. */
  cut(): void {
    this.#cut?.();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.cut();
    await this.#finished;
  }

  async #run(): Promise<void> {
    const { urls, protocol } = this.#options;
    for (let failures = 0; !this.#stop.signal.aborted && this.refusal === undefined; ) {
      const url = urls[this.connects % urls.length] ?? "";
      this.connects++;
      const seenBefore = this.seen.length;
      const isOwnCut = await (protocol === "sse" ? this.#readSse(url) : this.#readRpc(url));
      failures = isOwnCut || this.seen.length > seenBefore ? 0 : failures + 1;
      if (failures > 0) await pause(retryDelayMs(failures), this.#stop.signal);
    }
  }

  /** Reads one connection to its end; tells whether the observer itself cut it. */
  async #readSse(url: string): Promise<boolean> {
    const query = new URLSearchParams(sseFilter(this.#options.filter));
    if (!this.#isSynced) query.set("send_initial_state", "true");
    else if (this.connects === 1 && this.token !== "") query.set("resume_token", this.token);
    const lastEventId = this.connects > 1 && this.token !== "" ? this.token : undefined;
    const connection = new Connection();
    this.#cut = () => connection.cut();
    try {
      const stream = await openSse(`${url}/api/v1/watch?${query}`, lastEventId);
      connection.onCut = () => stream.close();
      if (stream.status !== 200) throw new Error(`status ${stream.status}`);
      let reason: string | undefined;
      for await (const { type, data, lastEventId: id } of stream) {
        if (type === "ERROR") reason = String(data.reason);
        else await this.#take([readSseEvent(data)], id, connection);
      }
      this.#end(reason ?? "a quiet end", "");
    } catch (error) {
      if (!connection.isCut) this.#end("", error instanceof Error ? error.message : String(error));
    }
    connection.close();
    return connection.isCut;
  }

  async #readRpc(url: string): Promise<boolean> {
    const sessionManager = new Http2SessionManager(url);
    const options = { baseUrl: url, sessionManager, acceptCompression: [] };
    const transport =
      this.#options.protocol === "grpc"
        ? createGrpcTransport(options)
        : createConnectTransport({ ...options, httpVersion: "2" });
    const connection = new Connection();
    connection.onCut = () => sessionManager.abort();
    this.#cut = () => connection.cut();
    const request = {
      filter: rpcFilter(this.#options.filter),
      sendInitialState: !this.#isSynced,
      resumeToken: this.token,
      payloadEncoding: PayloadEncoding.JSON,
    };
    try {
      for await (const batch of createClient(ResourceService, transport).watchResources(request)) {
        const events = batch.events.map(({ type, resource, revision }) => {
          const change = { type: EventType[type], revision: Number(revision) };
          return resource === undefined ? change : { ...change, body: readWireResource(resource) };
        });
        await this.#take(events, batch.resumeToken, connection);
      }
      this.#end("a quiet end", "");
    } catch (thrown) {
      const error = ApiError.from(thrown);
      if (!connection.isCut) this.#end(error.reason, error.code);
    }
    connection.close();
    return connection.isCut;
  }

  async #take(events: readonly Event[], token: string, connection: Connection): Promise<void> {
    const { cutEvery, gate } = this.#options;
    for (const { type, body, revision } of events) {
      if (type === "SYNCED") this.#isSynced = true;
      if (body === undefined) continue;
      const log = logOf(body.shard, this.#options.logCount ?? 1);
      const place = this.#isSynced ? this.seen : this.initial;
      place.push({ log, revision, type, uid: body.uid, body: digest(body) });
    }
    if (this.#isSynced) this.token = token;
    if (cutEvery !== undefined && this.seen.length >= cutEvery * this.connects) connection.cut();
    await gate?.(this);
    // What has been received before a cut and is not read any more has to come again.
    if (connection.isCut) throw new Error("cut");
  }

  #end(reason: string, code: string): void {
    if (FINAL_REASONS.includes(reason) || FINAL_CODES.includes(code)) this.refusal = { reason, code };
    else this.interruptions.push(reason || code);
    // An initial state that broke off says nothing about what is missing: it is sent again as a whole.
    if (!this.#isSynced) this.initial.length = 0;
  }
}

/** One connection and its deliberate end. */
class Connection {
  isCut = false;
  onCut: (() => void) | undefined;

  cut(): void {
    this.isCut = true;
    this.close();
  }

  close(): void {
    this.onCut?.();
  }
}

function sseFilter({ kind, shard, tier }: HistoryFilter = {}): Record<string, string> {
  return {
    ...(kind !== undefined && { kind }),
    ...(shard !== undefined && { shard_id: shard }),
    ...(tier !== undefined && { label_selector: `tier in (${tier})` }),
  };
}

function rpcFilter({ kind = "", shard = "", tier }: HistoryFilter = {}) {
  return { kind, shardId: shard, labelSelector: tier === undefined ? "" : `tier in (${tier})` };
}

/** A resource as `/api/v1` shows it. */
export interface DialectResource {
  readonly uid: string;
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly shard_id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>> | null;
  readonly finalizers: readonly string[] | null;
  readonly version: number;
  readonly current_version: number;
  readonly deletion_timestamp: string | null;
  readonly spec: unknown;
  readonly status: unknown;
}

function readSseEvent({ type, revision, resource }: Record<string, unknown>): Event {
  const event = { type: String(type), revision: Number(revision ?? 0) };
  // If it is not what the dialect promises, its digest is another one than expected.
  return resource === undefined ? event : { ...event, body: readDialectResource(resource as DialectResource) };
}

/** A resource that was read from `/api/v1`. */
export function readDialectResource(resource: DialectResource): Body {
  return {
    uid: resource.uid,
    key: [resource.resource_group, resource.kind, resource.namespace, resource.name],
    shard: resource.shard_id,
    labels: resource.labels,
    annotations: resource.annotations ?? {},
    finalizers: resource.finalizers ?? [],
    generation: resource.version,
    observed: resource.current_version,
    // The load writes JSON as JSON.stringify does, so parsing and writing it again changes nothing.
    spec: JSON.stringify(resource.spec),
    status: JSON.stringify(resource.status),
    isDeleting: resource.deletion_timestamp !== null,
  };
}

/** A resource that was read with PAYLOAD_ENCODING_JSON. */
export function readWireResource(resource: Resource): Body {
  const { resourceGroup = "", kind = "", namespace = "", name = "" } = resource.key ?? {};
  return {
    uid: resource.uid,
    key: [resourceGroup, kind, namespace, name],
    shard: resource.shardId,
    labels: resource.labels,
    annotations: resource.annotations,
    finalizers: resource.finalizers,
    generation: Number(resource.generation),
    observed: Number(resource.observedGeneration),
    spec: resource.specJson,
    status: resource.statusJson,
    isDeleting: resource.deletionRequestedAt !== undefined,
  };
}
