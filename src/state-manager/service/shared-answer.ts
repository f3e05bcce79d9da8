/** An answer is as good as new for this many times the time it took: whoever asks, at most a twentieth of it is spent on asking. */
const MAX_AGE_TIMES = 20;
const MAX_AGE_MIN_MS = 1_000;

/**
 * The answer to a question that is expensive and that many ask, shared by all: it is asked again only when the last answer is older
 * than 20 times what getting it took, and than 1 s. Whoever asks meanwhile waits for the same answer. A failure is told for as long
 * as it took to come.
 */
export class SharedAnswer<T> {
  readonly #ask: () => Promise<T>;
  #latest: Promise<T> | undefined;
  #freshUntil = 0;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  get(): Promise<T> {
    if (this.#latest === undefined || performance.now() >= this.#freshUntil) this.#latest = this.#askNow();
    return this.#latest;
  }

  async #askNow(): Promise<T> {
    const askedAt = performance.now();
    const tookMs = () => performance.now() - askedAt;
    this.#freshUntil = Number.POSITIVE_INFINITY;
    try {
      const answer = await this.#ask();
      this.#freshUntil = performance.now() + Math.max(MAX_AGE_MIN_MS, MAX_AGE_TIMES * tookMs());
      return answer;
    } catch (error) {
      this.#freshUntil = performance.now() + tookMs();
      throw error;
    }
  }
}
