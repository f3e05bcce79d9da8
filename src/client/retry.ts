import { backoffMs } from "../resource/backoff.js";
import { timerMs } from "../shared/timer-limit.js";
import { ApiError, isUnavailable } from "./api-error.js";

const FIRST_DELAY_MS = 25;
const LONGEST_DELAY_MS = 2_000;

/** How long to wait before try number `attempt` + 1: doubling from 25 ms to 2 s. */
export function retryDelayMs(attempt: number): number {
  return backoffMs(attempt, FIRST_DELAY_MS, LONGEST_DELAY_MS, Math.random());
}

/** Waits; ends early, without an error, when `signal` aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, timerMs(ms));
    signal?.addEventListener("abort", end);
  });
}

/**
 * Calls until it succeeds, fails for good, or `timeoutMs` is over; only UNAVAILABLE is tried again.
 *
 * Every try gets the time that is left as its deadline. Rejects with an {@link ApiError}: the last one.
 */
export async function retryUnavailable<T>(
  timeoutMs: number,
  call: (options: { readonly timeoutMs: number; readonly attempt: number }) => Promise<T>,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await call({ timeoutMs: Math.max(1, timerMs(end - performance.now())), attempt });
    } catch (error) {
      const apiError = ApiError.from(error);
      const delay = retryDelayMs(attempt);
      if (!isUnavailable(apiError) || performance.now() + delay >= end) throw apiError;
      await pause(delay);
    }
  }
}
