import type { Change, ChangeType } from "../../resource/change.js";
import type { ResourceKey } from "../../resource/key.js";
import { describedBy, entriesText, metaMembers, type ResourceMeta } from "../../resource/resource-meta.js";

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

/** What `ResourceMeta` says, and the rest of the change. Absent is what older programs did not write. */
interface Meta extends ResourceMeta {
  readonly id: string;
  readonly writes: string;
  readonly previousLabels: Readonly<Record<string, string>> | null;
  readonly previousOwnerUid?: string | null;
  readonly previousRevision: string;
  readonly previousGeneration: string;
  readonly movedTo: string | null;
}

/** The `meta` text of a change: a JSON object of `Meta`. */
export function encodeMeta(change: Change): string {
  const { resource, previousLabels, previousOwnerUid, previousRevision, previousGeneration, movedTo } = change;
  return (
    `{"id":"${resource.id}","writes":"${resource.writeCount}",` +
    `"previousLabels":${previousLabels === null ? "null" : entriesText(previousLabels)},` +
    `"previousOwnerUid":${JSON.stringify(previousOwnerUid)},"previousRevision":"${previousRevision}",` +
    `"previousGeneration":"${previousGeneration}","movedTo":${JSON.stringify(movedTo)},${metaMembers(resource)}}`
  );
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
      specJson: record.spec,
      statusJson: record.status,
      revision,
      writeCount: BigInt(meta.writes),
      ...describedBy(meta),
    },
    previousLabels: meta.previousLabels === null ? null : new Map(Object.entries(meta.previousLabels)),
    previousOwnerUid: meta.previousOwnerUid ?? null,
    previousRevision: BigInt(meta.previousRevision),
    previousGeneration: BigInt(meta.previousGeneration),
    movedTo: meta.movedTo,
  };
}
