/** The share of a delay that jitter may take away. */
const JITTER = 0.2;

/**
 * How long a resource waits after its `failures`-th failed pass in a row (1 or more), in milliseconds: `baseMs`, doubled
 * with every further failure, never above `maxMs`.
 *
 * Jitter only shortens, by up to 20 % (`random` is in [0, 1)): it spreads resources that failed together, keeps the
 * promise of `backoff_max`, and each wait below the cap stays longer than the one before. store/statements/work-items.ts
 * says the same in SQL for passed deadlines.
 */
export function backoffMs(failures: number, baseMs: number, maxMs: number, random: number): number {
  const delayMs = Math.min(maxMs, baseMs * 2 ** (failures - 1));
  return Math.max(1, Math.round(delayMs * (1 - JITTER * random)));
}
