import { DomainError } from "../../resource/errors.js";
import { RetryDelay } from "../../shared/retry-delay.js";
import { problemOf, publicProblemOf } from "./driver-errors.js";
import { UnfitDatabaseError } from "./unfit-database.js";

const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 5_000;

/**
 * Opens something that needs PostgreSQL, again and again with back-off while it fails with UNAVAILABLE, for `waitMs` at most; 0: once.
 * Every other error ends it at once. Rejects with UnfitDatabaseError when the time is over, and when `signal` aborts.
 */
export async function waitForStore<T>(
  open: () => Promise<T>,
  options: {
    readonly waitMs: number;
    readonly signal?: AbortSignal | undefined;
    /** Told why it waits, before every wait; fit for callers of the API. */
    readonly onWaiting: (problem: string) => void;
  },
): Promise<T> {
  const { waitMs, signal, onWaiting } = options;
  const delay = new RetryDelay(RETRY_BASE_MS, RETRY_MAX_MS);
  const cut = () => delay.cut();
  signal?.addEventListener("abort", cut);
  try {
    for (const giveUpAt = performance.now() + waitMs; ; ) {
      const failure = await open().then(
        (opened) => ({ opened }),
        (error: unknown) => ({ error }),
      );
      if ("opened" in failure) return failure.opened;
      if (!(failure.error instanceof DomainError) || failure.error.code !== "UNAVAILABLE") throw failure.error;
      if (signal?.aborted || performance.now() >= giveUpAt) throw gaveUp(problemOf(failure.error), waitMs);
      onWaiting(publicProblemOf(failure.error));
      await delay.wait();
    }
  } finally {
    signal?.removeEventListener("abort", cut);
  }
}

function gaveUp(problem: string, waitMs: number): UnfitDatabaseError {
  const waited = waitMs === 0 ? "" : `, after ${waitMs / 1_000} s`;
  return new UnfitDatabaseError(
    `${problem}${waited}: check that it runs and that DATABASE_URL names it; DATABASE_WAIT_SECONDS sets how long the server waits for it`,
  );
}
