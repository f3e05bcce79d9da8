import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits for a condition instead of for an amount of time: polls `check` every 10 ms (or `everyMs`, when looking is dear) and answers with its first truthy
 * result. A check that throws counts as "not yet" (its error becomes the cause of the timeout), so it may assert or ask
 * a server that is still starting.
 *
 * @throws Error naming `what` after `timeoutMs` (10 s by default: generous, because two cores are shared by all tests).
 */
export async function until<T>(
  check: () => T | Promise<T>,
  options: { timeoutMs?: number; everyMs?: number; what?: string } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const { timeoutMs = 10_000, everyMs = 10, what = check.toString() } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  while (true) {
    try {
      const result = await check();
      // Truthy, so none of the excluded; the compiler does not narrow a type parameter.
      if (result) return result as Exclude<T, false | null | undefined>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause });
    await sleep(everyMs);
  }
}
