/**
 * Settles as `promise` does, or rejects with the signal's reason as soon as `signal` aborts, whichever is first.
 *
 * The listener is removed when the promise settles, so one long-lived signal may be raced any number of times; a chain
 * of `AbortSignal.any` keeps its dependants alive on Node 20. The promise itself goes on; a late rejection is ignored.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
