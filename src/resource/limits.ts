import { DomainError, invalidField } from "./errors.js";
import type { Resource } from "./resource.js";
import { isServerFinalizer } from "./server-finalizers.js";

/**
 * The limits of a resource (I9), the same on every protocol. A character is a Unicode code point; bytes are of UTF-8.
 */

/** Characters of a name: each part of a key, shard, label key and value, annotation key, finalizer. */
export const NAME_MAX_CHARACTERS = 255;

/** The four parts of a key together, in bytes of UTF-8: an entry of PostgreSQL's index has 2,704, its own fields included. */
export const KEY_MAX_BYTES = 2_560;

/** Bytes of a whole resource, names and metadata included: an event is read, cached and streamed in one piece. */
export const RESOURCE_MAX_BYTES = 1_048_576;

/** Containers inside one another in spec or status. Protobuf parsers stop at 100 messages; `Value` takes three a level. */
export const JSON_DEPTH_MAX = 30;

/** Labels of a resource: they are indexed, and stored twice in every event. */
export const LABELS_MAX = 256;

/** Annotations of a resource. Their values are bounded by the size of the resource only. */
export const ANNOTATIONS_MAX = 256;

/** Finalizers of a resource, the server's own apart: each is a party the deletion waits for. */
export const FINALIZERS_MAX = 64;

/** Conditions set by one report. */
export const CONDITIONS_MAX = 64;

/** Requirements of a label selector: each is an index condition of the query. */
export const SELECTOR_REQUIREMENTS_MAX = 6;

/** Characters of a label selector: what fits the 16 KiB that an HTTP server accepts as request head. */
export const SELECTOR_MAX_CHARACTERS = 16_384;

/** Resources of a page; a longer answer would hold a connection and megabytes of memory for one reader. */
export const PAGE_SIZE_MAX = 10_000;

/** Resources of a page when the reader does not say. */
export const PAGE_SIZE_DEFAULT = 500;

/**
 * Payload bytes of a page, beyond its first resource: what gRPC clients accept by default is 4 MiB, and a `Value` takes up to
 * twice its JSON text.
 */
export const PAGE_MAX_BYTES = 2 * 1024 * 1024;

/** Resources of one ApplyResources: it holds memory until the last one is written. */
export const APPLY_MAX_RESOURCES = 10_000;

/** What the limits below need to know of a resource: a stored one, or the desired state of one. */
type Limited = Pick<Resource, "key" | "shardId" | "labels" | "annotations" | "finalizers" | "specJson" | "statusJson">;

/**
 * Throws INVALID_ARGUMENT when a resource as a whole is over a limit: after a write that adds to what is stored, each part
 * may be valid and the sum too much.
 */
export function checkFits(resource: Limited): void {
  checkCount("labels", resource.labels.size, LABELS_MAX);
  checkCount("annotations", resource.annotations.size, ANNOTATIONS_MAX);
  checkCount("finalizers", resource.finalizers.filter((name) => !isServerFinalizer(name)).length, FINALIZERS_MAX);
  const bytes = resourceBytes(resource);
  if (bytes <= RESOURCE_MAX_BYTES) return;
  throw new DomainError(
    "INVALID_ARGUMENT",
    "PAYLOAD_TOO_LARGE",
    `resource must be at most ${RESOURCE_MAX_BYTES} bytes with metadata, spec and status (got ${bytes}); keep large data elsewhere and refer to it`,
    { field: "resource" },
  );
}

function checkCount(field: string, count: number, max: number): void {
  if (count > max) throw invalidField(field, `must have at most ${max} entries (got ${count}); remove some`);
}

function resourceBytes({ key, shardId, labels, annotations, finalizers, specJson, statusJson }: Limited): number {
  let bytes = 0;
  const add = (text: string) => {
    bytes += Buffer.byteLength(text);
  };
  for (const part of [key.resourceGroup, key.kind, key.namespace, key.name, shardId, ...finalizers]) add(part);
  for (const map of [labels, annotations]) {
    for (const [name, value] of map) {
      add(name);
      add(value);
    }
  }
  add(specJson ?? "");
  add(statusJson ?? "");
  return bytes;
}
