/** A resource with one writer, who knows what may stand there and what may not. */
import { PayloadEncoding, type Resource } from "../../gen/reconcile/v1/resource_pb.js";
import { ApiError, isNotFound, isOutcomeUnknown } from "../../src/client/api-error.js";
import type { Connection } from "../../src/client/connection.js";
import { logOf } from "../../src/resource/log-of.js";
import { digest } from "./history.js";
import { readWireResource } from "./observer.js";

type Api = Connection["resources"];
type Operation = "create" | "update" | "status" | "delete" | "release";

/** A write that was answered. */
export interface Acknowledged {
  readonly name: string;
  /** The write's own number, which stands in the spec or status it wrote. */
  readonly number: number;
  readonly uid: string;
  /** Undefined for a removal: its answer shows the state before. */
  readonly place: { readonly log: number; readonly revision: number; readonly body: string } | undefined;
}

/** What a writer's resources have in common. */
export interface OwnResourceOptions {
  readonly name: string;
  readonly kind: string;
  /** Created with a finalizer, so that it takes two writes to remove it. */
  readonly isHeld: boolean;
  readonly shards: readonly string[];
  readonly tiers: readonly string[];
  readonly largeEvery: number | undefined;
  readonly timeoutMs: number;
  readonly logCount: number;
}

const HOLD = "load/hold";
const LARGE = "x".repeat(70_000);
const PADDING = "x".repeat(100);
const payloadEncoding = PayloadEncoding.JSON;

/**
 * Every write is guarded by what is known of the resource, so that one whose outcome is unknown cannot take effect after
 * a later one unnoticed.
 */
export class OwnResource {
  readonly #options: OwnResourceOptions;
  /** Writes whose outcome is unknown; any of them may be in, or come in late. */
  readonly #open = new Map<number, Operation>();
  #known: Resource | undefined;
  /** Whether the last write failed, so that only a look tells what is stored. */
  isUnknown = false;

  constructor(options: OwnResourceOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** Whether an earlier write whose outcome is unknown may explain that the next one is refused. */
  get isContested(): boolean {
    return this.#open.size > 0;
  }

  /** Writes what its number says. Rejects with ApiError, and is unknown then. */
  async write(api: Api, number: number): Promise<Acknowledged> {
    const operation = this.#choose(number);
    this.#open.set(number, operation);
    this.isUnknown = true;
    const answer = await this.#send(api, operation, number).catch((thrown: unknown) => {
      const error = ApiError.from(thrown);
      if (!isOutcomeUnknown(error)) this.#open.delete(number);
      throw error;
    });
    this.isUnknown = false;
    this.#open.delete(number);
    const isRemoved = operation === "release" || (operation === "delete" && !this.#options.isHeld);
    this.#known = isRemoved ? undefined : answer;
    const { uid, shardId, revision } = answer;
    const log = logOf(shardId, this.#options.logCount);
    const place = isRemoved ? undefined : { log, revision: Number(revision), body: digest(readWireResource(answer)) };
    return { name: this.name, number, uid, place };
  }

  /** Finds out what is stored; returns words for a state that nobody can have written. */
  async read(api: Api): Promise<string | undefined> {
    const found = await this.#find(api);
    const before = this.#known;
    this.#known = found;
    this.isUnknown = false;
    const operations = new Set(this.#open.values());
    if (found === undefined) {
      const isExplained = before === undefined || operations.has("delete") || operations.has("release");
      return isExplained ? undefined : `${this.name} has vanished: revision ${before.revision} was acknowledged`;
    }
    const isUnchanged = before !== undefined && before.uid === found.uid && before.revision === found.revision;
    const isMarked = found.deletionRequestedAt !== undefined && operations.has("delete");
    const isOpen = markers(found).some((number) => this.#open.has(number));
    if (isUnchanged || isMarked || isOpen) return undefined;
    return `${this.name} stands at revision ${found.revision} after writes ${markers(found)}; ${before?.revision} was known, ${[...this.#open.keys()]} are open`;
  }

  #choose(number: number): Operation {
    if (this.#known === undefined) return "create";
    if (this.#known.deletionRequestedAt !== undefined) return "release";
    const dice = number % 20;
    if (dice < 2) return "delete";
    return dice < 8 ? "status" : "update";
  }

  async #send(api: Api, operation: Operation, number: number): Promise<Resource> {
    const { timeoutMs } = this.#options;
    const options = { timeoutMs };
    const { uid: expectedUid = "", generation = 0n, revision = 0n } = this.#known ?? {};
    const input = this.#input(operation, number);
    // A move cannot be guarded by the revision, which is checked within the shard.
    const guard = { expectedUid, expectedGeneration: generation };
    const key = input.key;
    const call = {
      create: () => api.createResource({ resource: input, payloadEncoding }, options),
      update: () => api.updateResource({ resource: input, ...guard, payloadEncoding }, options),
      release: () => api.updateResource({ resource: input, ...guard, payloadEncoding }, options),
      status: () =>
        api.updateResourceStatus(
          {
            key,
            statusJson: JSON.stringify({ write: number }),
            ...(number % 2 === 0 && { observedGeneration: generation }),
            expectedRevision: revision,
            payloadEncoding,
          },
          options,
        ),
      delete: () => api.deleteResource({ key, expectedUid, expectedRevision: revision, payloadEncoding }, options),
    }[operation];
    const { resource } = await call();
    if (resource === undefined) throw new Error("an answer without a resource");
    return resource;
  }

  #input(operation: Operation, number: number) {
    const { name, kind, isHeld, shards, tiers, largeEvery } = this.#options;
    const isMove = number % 20 === 8 || number % 20 === 9;
    const isLarge = largeEvery !== undefined && number % largeEvery === 0;
    const pick = (of: readonly string[], n: number) => of[n % of.length] ?? "";
    return {
      key: { resourceGroup: "load", kind, namespace: "default", name },
      shardId: this.#known === undefined || isMove ? pick(shards, number) : this.#known.shardId,
      // Changes the label now and then: the resource leaves and enters selections.
      labels: { tier: pick(tiers, Math.floor(number / 50)), name },
      annotations: { "load/write": String(number) },
      finalizers: isHeld && operation !== "release" ? [HOLD] : [],
      specJson: JSON.stringify({ write: number, padding: isLarge ? LARGE : PADDING }),
    };
  }

  async #find(api: Api): Promise<Resource | undefined> {
    const { timeoutMs } = this.#options;
    try {
      const { key } = this.#input("update", 0);
      return (await api.getResource({ key, payloadEncoding }, { timeoutMs })).resource;
    } catch (error) {
      if (isNotFound(ApiError.from(error))) return undefined;
      throw error;
    }
  }
}

/** The numbers of the writes that made the spec and the status. */
function markers({ specJson, statusJson }: Resource): readonly number[] {
  return [specJson, statusJson].flatMap((text) => markerOf(text) ?? []);
}

/** The number of the write that made a spec or status. */
export function markerOf(json: string): number | undefined {
  return JSON.parse(json || "null")?.write;
}
