import { DomainError } from "./errors.js";
import { describeKey } from "./key.js";
import type { Resource } from "./resource.js";

/** Where forced finalizers are recorded: JSON text, an array of `ForcedFinalizer`, oldest first. */
export const FORCED_FINALIZERS_ANNOTATION = "reconcile.dev/forced-finalizers";

/** One entry of the record. */
interface ForcedFinalizer {
  readonly finalizer: string;
  /** Who says so, and why. */
  readonly message: string;
  /** RFC 3339, of the database clock. */
  readonly at: string;
}

/** What is left of a resource without `finalizer`, with the record of it. NOT_FOUND when it has no such finalizer. */
export function withoutForced(
  resource: Resource,
  finalizer: string,
  message: string,
  now: Date,
): Pick<Resource, "finalizers" | "annotations"> {
  if (!resource.finalizers.includes(finalizer)) {
    throw new DomainError(
      "NOT_FOUND",
      "FINALIZER_NOT_FOUND",
      `${describeKey(resource.key)} has no finalizer ${JSON.stringify(finalizer)}; it has ${JSON.stringify(resource.finalizers)}`,
      { field: "finalizer" },
    );
  }
  const entry: ForcedFinalizer = { finalizer, message, at: now.toISOString() };
  const record = [...recordOf(resource.annotations.get(FORCED_FINALIZERS_ANNOTATION)), entry];
  return {
    finalizers: resource.finalizers.filter((name) => name !== finalizer),
    annotations: new Map(resource.annotations).set(FORCED_FINALIZERS_ANNOTATION, JSON.stringify(record)),
  };
}

/** Anybody may write annotations: what is no record is kept as the first entry of a new one. */
function recordOf(text: string | undefined): readonly unknown[] {
  if (text === undefined) return [];
  try {
    const record: unknown = JSON.parse(text);
    return Array.isArray(record) ? record : [record];
  } catch {
    return [text];
  }
}
