import type { DueHint } from "../log/change-log.js";
import type { DoorbellChannel } from "../log/doorbell-channel.js";

/**
 * Tells whoever waits for work that some came due: the waiting Lease calls of this replica and, over the channel, those of
 * the others. Ring it after commit. A lost ring costs up to the pulse's 5 s, never a pass.
 */
export class Doorbell {
  readonly #listener: (hints: readonly DueHint[]) => void;
  readonly #channel: DoorbellChannel | undefined;

  /** Without a channel other replicas find the work at their pulse. */
  constructor(listener: (hints: readonly DueHint[]) => void, channel: DoorbellChannel | undefined) {
    this.#listener = listener;
    this.#channel = channel;
    channel?.listen(listener);
  }

  ring(hints: readonly DueHint[]): void {
    if (hints.length === 0) return;
    this.#listener(hints);
    this.#channel?.ring(hints);
  }
}
