/**
 * Both lists as one, in order; both must be in that order already. `added` should be the shorter one: it is compared, the
 * other one mostly copied.
 */
export function mergeSorted<T>(items: readonly T[], added: readonly T[], order: (a: T, b: T) => number): readonly T[] {
  if (added.length === 0) return items;
  const merged: T[] = [];
  let copied = 0;
  for (const item of added) {
    const place = placeOf(item, items, copied, order);
    while (copied < place) merged.push(items[copied++] as T); // in range: placeOf stays within the list
    merged.push(item);
  }
  while (copied < items.length) merged.push(items[copied++] as T);
  return merged;
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
