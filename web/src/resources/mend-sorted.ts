/**
 * `items` without `removed` and with `added`, in order. `items` must be in that order, and the order total. What changes should
 * be little: it is compared, the rest is copied. Of `removed`, what is not among the items does no harm.
 */
export function mendSorted<T>(
  items: readonly T[],
  removed: ReadonlySet<T>,
  added: readonly T[],
  order: (a: T, b: T) => number,
): readonly T[] {
  const changes = [...removed, ...added].sort(order);
  if (changes.length === 0) return items;
  const mended: T[] = [];
  let copied = 0;
  const copyTo = (place: number) => {
    while (copied < place) mended.push(items[copied++] as T); // in range: placeOf stays within the list
  };
  for (const change of changes) {
    const place = placeOf(change, items, copied, order);
    copyTo(place);
    if (!removed.has(change)) mended.push(change);
    else if (items[place] === change) copied++;
  }
  copyTo(items.length);
  return mended;
}

/** The index of the first item from `low` on that does not come before `item`. */
function placeOf<T>(item: T, items: readonly T[], low: number, order: (a: T, b: T) => number): number {
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(items[middle] as T, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
