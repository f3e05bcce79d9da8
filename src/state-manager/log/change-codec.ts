import type { Change, ChangeType } from "../../resource/change.js";
import type { ResourceKey } from "../../resource/key.js";
import type { Owner } from "../../resource/owner.js";

/** A change as PostgreSQL and Redis store it: what is searched in columns, the rest in `meta`, payloads untouched. */
export interface ChangeRecord extends ResourceKey {
  readonly log: number;
  readonly revision: bigint;
  readonly fingerprint: bigint;
  readonly previousFingerprint: bigint;
  readonly type: ChangeType;
  /** JSON text of `Meta`. */
  readonly meta: string;
  readonly spec: string | null;
  readonly status: string | null;
}

/** 64-bit counters are strings: JSON numbers would round. Times are milliseconds since the epoch. */
interface Meta {
  readonly id: string;
  readonly uid: string;
  readonly shard: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  /** Absent in events that a program without owners wrote; `previousOwnerUid` too. */
  readonly owner?: Owner | null;
  readonly generation: string;
  readonly observed: string;
  readonly writes: string;
  readonly created: number;
  readonly updated: number;
  readonly deletionRequested: number | null;
  readonly previousLabels: Readonly<Record<string, string>> | null;
  readonly previousOwnerUid?: string | null;
  readonly previousRevision: string;
  readonly previousGeneration: string;
  readonly movedTo: string | null;
}

/** The `meta` text of a change. */
export function encodeMeta(change: Change): string {
  const { resource } = change;
  const meta: Meta = {
    id: String(resource.id),
    uid: resource.uid,
    shard: resource.shardId,
    labels: Object.fromEntries(resource.labels),
    annotations: Object.fromEntries(resource.annotations),
    finalizers: resource.finalizers,
    owner: resource.owner,
    generation: String(resource.generation),
    observed: String(resource.observedGeneration),
    writes: String(resource.writeCount),
    created: resource.createdAt.getTime(),
    updated: resource.updatedAt.getTime(),
    deletionRequested: resource.deletionRequestedAt?.getTime() ?? null,
    previousLabels: change.previousLabels === null ? null : Object.fromEntries(change.previousLabels),
    previousOwnerUid: change.previousOwnerUid,
    previousRevision: String(change.previousRevision),
    previousGeneration: String(change.previousGeneration),
    movedTo: change.movedTo,
  };
  return JSON.stringify(meta);
}

/** The change a record holds. Throws SyntaxError when `meta` is not what `encodeMeta` wrote. */
export function decodeChange(record: ChangeRecord): Change {
  const { log, revision, fingerprint, previousFingerprint, type, resourceGroup, kind, namespace, name } = record;
  // Written by encodeMeta only: both stores are ours.
  const meta = JSON.parse(record.meta) as Meta;
  return {
    log,
    revision,
    fingerprint,
    previousFingerprint,
    type,
    resource: {
      key: { resourceGroup, kind, namespace, name },
      id: BigInt(meta.id),
      uid: meta.uid,
      shardId: meta.shard,
      labels: new Map(Object.entries(meta.labels)),
      annotations: new Map(Object.entries(meta.annotations)),
      finalizers: meta.finalizers,
      owner: meta.owner ?? null,
      specJson: record.spec,
      statusJson: record.status,
      generation: BigInt(meta.generation),
      observedGeneration: BigInt(meta.observed),
      revision,
      writeCount: BigInt(meta.writes),
      createdAt: new Date(meta.created),
      updatedAt: new Date(meta.updated),
      deletionRequestedAt: meta.deletionRequested === null ? null : new Date(meta.deletionRequested),
    },
    previousLabels: meta.previousLabels === null ? null : new Map(Object.entries(meta.previousLabels)),
    previousOwnerUid: meta.previousOwnerUid ?? null,
    previousRevision: BigInt(meta.previousRevision),
    previousGeneration: BigInt(meta.previousGeneration),
    movedTo: meta.movedTo,
  };
}
