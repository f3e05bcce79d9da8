/** What runs: started once, stopped once. */
interface Running {
  stop(): Promise<void>;
}

/** npm passes a terminal's Ctrl-C on to a process that has got it already: two signals this close are one. */
const SAME_SIGNAL_MS = 500;

/** From a terminal's Ctrl-C, from what runs the process, and from a terminal that is closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Starts something and stops it on a signal that asks for the end, also when the signal comes while it is still starting: then the
 * signal given to `start` aborts, and what it throws does not matter. A second signal, or `timeoutMs` after the first, ends the
 * process at once. Rejects when the start fails by itself; otherwise the process ends with 0.
 */
export async function runUntilSignal<T extends Running>(options: {
  readonly start: (signal: AbortSignal) => Promise<T>;
  readonly onStarted?: (running: T) => void;
  readonly timeoutMs: number;
  readonly onTimeout: () => void;
}): Promise<void> {
  const end = new AbortController();
  const signalled = nextSignal().then(() => {
    setTimeout(() => {
      options.onTimeout();
      process.exit(1);
    }, options.timeoutMs);
    void nextSignal(performance.now() + SAME_SIGNAL_MS).then(() => process.exit(1));
    end.abort();
  });
  const running = await options.start(end.signal).catch((error: unknown) => {
    if (!end.signal.aborted) throw error;
  });
  if (running !== undefined && !end.signal.aborted) options.onStarted?.(running);
  await signalled;
  await running?.stop();
  process.exit(0);
}

function nextSignal(notBefore = 0): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = () => {
      if (performance.now() < notBefore) return;
      for (const signal of SIGNALS) process.off(signal, onSignal);
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
  });
}
