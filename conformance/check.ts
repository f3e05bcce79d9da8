import { setTimeout as sleep } from "node:timers/promises";

/** A worker did not do what it promises; the message says what was seen instead. */
export class BrokenPromise extends Error {
  override readonly name = "BrokenPromise";
}

/** Throws {@link BrokenPromise} with `complaint` unless `truth` holds. */
export function check(truth: boolean, complaint: string): asserts truth {
  if (!truth) throw new BrokenPromise(complaint);
}

/**
 * Polls `look` every 5 ms until it answers with something truthy, which it returns. Throws {@link BrokenPromise} with
 * `complaint` after `withinMs`.
 */
export async function eventually<T>(
  look: () => T | false | undefined,
  withinMs: number,
  complaint: string | (() => string),
): Promise<T> {
  const deadline = performance.now() + withinMs;
  while (true) {
    const found = look();
    if (found !== false && found !== undefined) return found;
    if (performance.now() > deadline) {
      const words = typeof complaint === "string" ? complaint : complaint();
      throw new BrokenPromise(`${words} within ${withinMs} ms`);
    }
    await sleep(5);
  }
}

/** Gives what must not happen the time to happen. */
export async function letPass(ms: number): Promise<void> {
  await sleep(ms);
}
