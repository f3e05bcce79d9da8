import { useState } from "react";

/** Something that a click starts: whether it is under way, and how it failed. One at a time. */
export function useAction(action: () => Promise<void>): {
  readonly run: () => void;
  readonly isRunning: boolean;
  readonly error: unknown;
} {
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<unknown>();
  const run = () => {
    if (isRunning) return;
    setRunning(true);
    setError(undefined);
    action()
      .catch(setError)
      .finally(() => setRunning(false));
  };
  return { run, isRunning, error };
}
