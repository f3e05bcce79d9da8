/** What runs: started once, stopped once. */
interface Running {
  stop(): Promise<void>;
}

/** npm passes a terminal's Ctrl-C on to a process that has got it already: two signals this close are one. */
const SAME_SIGNAL_MS = 500;

/** From a terminal's Ctrl-C, from what runs the process, and from a terminal that is closed. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Starts something and stops it on a signal that asks for the end, also when the signal comes while it is still starting.
 * A second signal, or `timeoutMs` after the first, ends the process at once.
 */
export async function runUntilSignal<T extends Running>(options: {
  readonly start: () => Promise<T>;
  readonly onStarted?: (running: T) => void;
  readonly timeoutMs: number;
  readonly onTimeout: () => void;
}): Promise<void> {
  const signalled = nextSignal();
  const running = await options.start();
  options.onStarted?.(running);
  await signalled;
  const timer = setTimeout(() => {
    options.onTimeout();
    process.exit(1);
  }, options.timeoutMs);
  void nextSignal(performance.now() + SAME_SIGNAL_MS).then(() => process.exit(1));
  await running.stop();
  clearTimeout(timer);
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
