import type { DeletionPropagation } from "./command.js";
import { invalidField } from "./errors.js";
import { addFinalizers, removeFinalizers } from "./finalizers.js";
import { quote } from "./quote.js";

/** What begins with it is the server's: nobody else puts such a finalizer on, and only ForceRemoveFinalizer takes it off. */
const SERVER_PREFIX = "reconcile.dev/";

/** Holds an owner until its last child is gone. */
export const FOREGROUND_FINALIZER = `${SERVER_PREFIX}foreground`;

/** Holds an owner until no child points to it. */
export const ORPHAN_FINALIZER = `${SERVER_PREFIX}orphan`;

/** The finalizers a request for deletion leaves, the server's own hold with them. */
export function withHold(finalizers: readonly string[], propagation: DeletionPropagation): readonly string[] {
  switch (propagation) {
    case "BACKGROUND":
      return finalizers;
    case "FOREGROUND":
      return addFinalizers(finalizers, [FOREGROUND_FINALIZER]);
    case "ORPHAN":
      return addFinalizers(finalizers, [ORPHAN_FINALIZER]);
  }
}

/** How the children of a resource on its way out are dealt with: its request's propagation, as the hold tells. */
export function propagationOf(finalizers: readonly string[]): DeletionPropagation {
  if (finalizers.includes(ORPHAN_FINALIZER)) return "ORPHAN";
  return finalizers.includes(FOREGROUND_FINALIZER) ? "FOREGROUND" : "BACKGROUND";
}

/** Whether a finalizer is the server's. */
export function isServerFinalizer(finalizer: string): boolean {
  return finalizer.startsWith(SERVER_PREFIX);
}

/**
 * The finalizers after somebody wrote `wished` over `stored`: those of the server stay on, whether they are among the wished
 * ones or not. Throws INVALID_ARGUMENT for one of the server's that is not stored.
 */
export function replaceFinalizers(stored: readonly string[], wished: readonly string[]): readonly string[] {
  checkAdded("finalizers", wished, stored);
  const kept = stored.filter((name) => isServerFinalizer(name) && !wished.includes(name));
  return kept.length === 0 ? wished : [...wished, ...kept];
}

/** `stored` with a reconciler's additions and removals; those of the server stay. Throws as `replaceFinalizers` does. */
export function patchFinalizers(
  stored: readonly string[],
  added: readonly string[],
  removed: readonly string[],
): readonly string[] {
  checkAdded("add_finalizers", added, stored);
  const left = removeFinalizers(
    stored,
    removed.filter((name) => !isServerFinalizer(name)),
  );
  return addFinalizers(left, added);
}

/** Throws INVALID_ARGUMENT when `finalizer` is the server's. */
export function checkNoServerFinalizer(field: string, finalizer: string): void {
  if (!isServerFinalizer(finalizer)) return;
  throw invalidField(
    field,
    `must not begin with ${SERVER_PREFIX} (got ${quote(finalizer)}): such finalizers are the server's own; choose another prefix`,
  );
}

function checkAdded(field: string, finalizers: readonly string[], stored: readonly string[]): void {
  for (const [i, name] of finalizers.entries()) {
    if (!stored.includes(name)) checkNoServerFinalizer(`${field}[${i}]`, name);
  }
}
