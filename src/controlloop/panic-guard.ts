import { AsyncLocalStorage } from "node:async_hooks";

/** Called with a failure that the guarded function's own promise does not report. */
type OnPanic = (error: unknown) => void;

const guarded = new AsyncLocalStorage<OnPanic>();
let users = 0;

/**
 * Runs `work` so that failures it lets escape (a promise nobody awaits, an exception in a timer) reach `onPanic` instead
 * of ending the process. Needs {@link installPanicGuard}.
 */
export function guardPanics<T>(onPanic: OnPanic, work: () => T): T {
  return guarded.run(onPanic, work);
}

/**
 * Listens for escaped failures until the returned function is called. Failures from elsewhere in the program end the
 * process as they do without us, unless the program listens for them itself.
 */
export function installPanicGuard(): () => void {
  if (users++ === 0) {
    process.on("unhandledRejection", onUnhandledRejection);
    process.on("uncaughtException", onUncaughtException);
  }
  let installed = true;
  return () => {
    if (!installed) return;
    installed = false;
    if (--users > 0) return;
    process.off("unhandledRejection", onUnhandledRejection);
    process.off("uncaughtException", onUncaughtException);
  };
}

function onUnhandledRejection(error: unknown): void {
  deliver("unhandledRejection", error);
}

function onUncaughtException(error: unknown): void {
  deliver("uncaughtException", error);
}

function deliver(event: "unhandledRejection" | "uncaughtException", error: unknown): void {
  const onPanic = guarded.getStore(); // Node runs these listeners in the context of the promise or callback that failed
  if (onPanic !== undefined) onPanic(error);
  else if (process.listenerCount(event) === 1) throw error;
}
