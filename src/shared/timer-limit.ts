/** The longest delay of a timer, in Node and in browsers: 24.8 days. A longer one fires after 1 ms. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * The delay to give to `setTimeout`, `setInterval` or `AbortSignal.timeout` for a duration that comes from outside: a request, a
 * setting, a flag or a caller. Whole milliseconds, rounded up; at most `TIMER_MAX_MS`, for Infinity too; 0 for what is no
 * positive number.
 *
 * Who must wait for longer than that sets the timer again when it fires.
 */
export function timerMs(durationMs: number): number {
  return durationMs > 0 ? Math.min(Math.ceil(durationMs), TIMER_MAX_MS) : 0;
}
