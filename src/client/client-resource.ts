import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Owner, Resource as WireResource } from "../../gen/reconcile/v1/resource_pb.js";
import type { ResourceKey } from "../resource/key.js";

/** The resource that another one of its namespace belongs to. */
export interface ResourceOwner {
  readonly resourceGroup: string;
  readonly kind: string;
  readonly name: string;
  /** A re-created owner is another one. */
  readonly uid: string;
}

/** A resource as it was read. `Spec` and `Status` say what the caller expects; nothing checks it here. */
export interface ClientResource<Spec = unknown, Status = unknown> {
  readonly key: ResourceKey;
  readonly uid: string;
  readonly shardId: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  readonly finalizers: readonly string[];
  /** Undefined when it belongs to none. */
  readonly owner: ResourceOwner | undefined;
  /** The JSON text as written: exact where `spec` is rounded to doubles. `null` when nothing was declared, and in summaries. */
  readonly specJson: string;
  /** The JSON text as written; in summaries only the conditions. `null` when nothing was reported. */
  readonly statusJson: string;
  /** Parsed from `specJson` at the first look. */
  readonly spec: Spec;
  /** Parsed from `statusJson` at the first look; null while nothing was reported. */
  readonly status: Status | null;
  readonly generation: bigint;
  readonly observedGeneration: bigint;
  readonly revision: bigint;
  /** Counts writes; of two states of one uid the one with the higher count is the newer, whatever logs they came from. */
  readonly writeCount: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Undefined while nobody asked for its deletion. */
  readonly deletionRequestedAt: Date | undefined;
}

/**
 * Reads the wire form, which must carry JSON text (PAYLOAD_ENCODING_JSON or PAYLOAD_ENCODING_SUMMARY). `parseSpec` turns the parsed text into a Spec;
 * by default it is believed to be one. What it throws, the first look at `spec` throws.
 */
export function readResource<Spec, Status>(
  wire: WireResource | undefined,
  parseSpec: (spec: unknown) => Spec = (spec) => spec as Spec,
): ClientResource<Spec, Status> {
  if (wire?.key === undefined) throw new Error("the server answered without a resource");
  const { resourceGroup, kind, namespace, name } = wire.key;
  const specJson = wire.specJson || "null";
  const statusJson = wire.statusJson || "null";
  let spec: { readonly value: Spec } | undefined;
  let status: { readonly value: Status | null } | undefined;
  return {
    key: { resourceGroup, kind, namespace, name },
    uid: wire.uid,
    shardId: wire.shardId,
    labels: new Map(Object.entries(wire.labels)),
    annotations: new Map(Object.entries(wire.annotations)),
    finalizers: wire.finalizers,
    owner: readOwner(wire.owner),
    specJson,
    statusJson,
    get spec() {
      spec ??= { value: parseSpec(JSON.parse(specJson)) };
      return spec.value;
    },
    get status() {
      status ??= { value: JSON.parse(statusJson) };
      return status.value;
    },
    generation: wire.generation,
    observedGeneration: wire.observedGeneration,
    revision: wire.revision,
    writeCount: wire.writeCount,
    createdAt: readTime(wire.createdAt),
    updatedAt: readTime(wire.updatedAt),
    deletionRequestedAt: wire.deletionRequestedAt && timestampDate(wire.deletionRequestedAt),
  };
}

function readOwner(owner: Owner | undefined): ResourceOwner | undefined {
  if (owner === undefined) return undefined;
  const { resourceGroup, kind, name, uid } = owner;
  return { resourceGroup, kind, name, uid };
}

/** A time that is always there. */
export function readTime(time: Timestamp | undefined): Date {
  return time === undefined ? new Date(0) : timestampDate(time);
}
