import type { Change, ChangeType, Position } from "../../resource/change.js";
import { type ChangeRecord, decodeChange, encodeMeta } from "./change-codec.js";

/**
 * The fields of a stream entry, in order. The same names in the same order in every entry: Redis then stores them once per
 * node of the stream. Script and reader rely on `fingerprint` being the first.
 */
export const ENTRY_FIELDS = [
  "fingerprint",
  "previous",
  "type",
  "resource_group",
  "kind",
  "namespace",
  "name",
  "body",
  "meta",
  "spec",
  "status",
] as const;

/** Larger bodies stay out of Redis; the entry says so and the reader fetches them from PostgreSQL (2.6). */
const MAX_BODY_BYTES = 64 * 1024;

type Body = "inline" | "reference";

/** An entry as Redis returns it: its id, then names and values in turn. */
export type RawEntry = readonly [id: string, fields: readonly string[]];

/** An entry of a log's stream: a change, or the place of one whose body is in PostgreSQL only. */
export interface StreamEntry {
  readonly position: Position;
  readonly previousFingerprint: bigint;
  /** Undefined: travels by reference. */
  readonly change: Change | undefined;
}

/** The values of `change` for `ENTRY_FIELDS`. */
export function encodeEntry(change: Change): readonly string[] {
  const { resourceGroup, kind, namespace, name } = change.resource.key;
  const place = [
    String(change.fingerprint),
    String(change.previousFingerprint),
    change.type,
    resourceGroup,
    kind,
    namespace,
    name,
  ];
  // A JSON text is never empty, so an empty value says null.
  const body = [encodeMeta(change), change.resource.specJson ?? "", change.resource.statusJson ?? ""];
  const bytes = body.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes > MAX_BODY_BYTES
    ? [...place, "reference" satisfies Body, "", "", ""]
    : [...place, "inline" satisfies Body, ...body];
}

/** Reads an entry of `log`; throws when it is none of ours. */
export function decodeEntry(log: number, [id, fields]: RawEntry): StreamEntry {
  const value = (index: number): string => {
    const text = fields[2 * index + 1];
    if (fields[2 * index] !== ENTRY_FIELDS[index] || text === undefined)
      throw new Error(`stream entry ${id} lacks ${ENTRY_FIELDS[index]}`);
    return text;
  };
  const position = positionOf(id, value(0));
  const previousFingerprint = BigInt(value(1));
  if (value(7) !== ("inline" satisfies Body)) return { position, previousFingerprint, change: undefined };
  const record: ChangeRecord = {
    log,
    previousFingerprint,
    // Written by encodeEntry only; the chain of fingerprints has no other writer.
    type: value(2) as ChangeType,
    resourceGroup: value(3),
    kind: value(4),
    namespace: value(5),
    name: value(6),
    meta: value(8),
    spec: value(9) || null,
    status: value(10) || null,
    ...position,
  };
  return { position, previousFingerprint, change: decodeChange(record) };
}

/** The position an entry id and a fingerprint stand for. */
export function positionOf(id: string, fingerprint: string): Position {
  return { revision: revisionOf(id), fingerprint: BigInt(fingerprint) };
}

/** The revision in an entry id. */
export function revisionOf(id: string): bigint {
  return BigInt(id.slice(0, id.indexOf("-")));
}
