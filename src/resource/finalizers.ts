/** `finalizers` and those of `added` that are not among them, at the end. The same list when nothing is new. */
export function addFinalizers(finalizers: readonly string[], added: readonly string[]): readonly string[] {
  const missing = new Set(added.filter((name) => !finalizers.includes(name)));
  return missing.size === 0 ? finalizers : [...finalizers, ...missing];
}

/** `finalizers` without any copy of those in `removed`. The same list when nothing goes. */
export function removeFinalizers(finalizers: readonly string[], removed: readonly string[]): readonly string[] {
  const left = finalizers.filter((name) => !removed.includes(name));
  return left.length === finalizers.length ? finalizers : left;
}
