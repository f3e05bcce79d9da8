import { create } from "@bufbuild/protobuf";
import { type LeaseProgress, LeaseProgressSchema } from "../../gen/reconcile/v1/reconciler_service_pb.js";

/** How far a pass has come; at least one of the two. */
export interface Progress {
  /** Words for people, shown by GetWork; 1 to 1,024 characters. */
  readonly message?: string;
  /** Given to the next holder unless this pass succeeds; up to 64 KiB. */
  readonly checkpoint?: Uint8Array;
}

/** The server's limits (reconciler_service.proto, LeaseProgress). */
const MESSAGE_MAX_CHARACTERS = 1_024;
const CHECKPOINT_MAX_BYTES = 64 << 10;
/** Of one renewal, far below the 4 MiB of a request; the rest goes with the next one. */
const RENEWAL_MAX_BYTES = 1 << 20;

/** Throws RangeError when the server would refuse it. */
export function checkProgress({ message, checkpoint }: Progress): void {
  if (message === undefined && checkpoint === undefined) {
    throw new RangeError("progress must have a message or a checkpoint; give one of them");
  }
  if (message !== undefined && (message.length === 0 || message.length > MESSAGE_MAX_CHARACTERS)) {
    throw new RangeError(
      `progress.message must be 1 to ${MESSAGE_MAX_CHARACTERS} characters long (got ${message.length})`,
    );
  }
  if (checkpoint !== undefined && checkpoint.byteLength > CHECKPOINT_MAX_BYTES) {
    throw new RangeError(
      `progress.checkpoint must be at most ${CHECKPOINT_MAX_BYTES} bytes (got ${checkpoint.byteLength}); save a shorter one`,
    );
  }
}

interface Entry extends Progress {
  readonly settle: readonly ((isSaved: boolean) => void)[];
}

/** What one renewal carries. */
export type ProgressBatch = ReadonlyMap<string, Entry>;

/** The progress of passes on its way to the server: of each lease the latest, until a renewal has taken it there. */
export class ProgressOutbox {
  readonly #isHeld: (token: string) => boolean;
  readonly #waiting = new Map<string, Entry>();

  /** `isHeld`: whether a lease is still ours; progress of others is wanted by nobody. */
  constructor(isHeld: (token: string) => boolean) {
    this.#isHeld = isHeld;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Resolves to whether the server has it; false when the lease ended first. Never rejects. */
  save(token: string, progress: Progress): Promise<boolean> {
    if (!this.#isHeld(token)) return Promise.resolve(false);
    return new Promise((resolve) => {
      const older = this.#waiting.get(token);
      this.#waiting.set(token, { ...older, ...progress, settle: [...(older?.settle ?? []), resolve] });
    });
  }

  /** Takes what one renewal may carry. Give it back with `confirm`, `refuse` or `restore`. */
  take(): ProgressBatch {
    const batch = new Map<string, Entry>();
    let bytes = 0;
    for (const [token, entry] of this.#waiting) {
      bytes += (entry.checkpoint?.byteLength ?? 0) + 4 * (entry.message?.length ?? 0);
      if (batch.size > 0 && bytes > RENEWAL_MAX_BYTES) break;
      this.#waiting.delete(token);
      batch.set(token, entry);
    }
    return batch;
  }

  /** The server has the batch. */
  confirm(batch: ProgressBatch): void {
    for (const { settle } of batch.values()) for (const resolve of settle) resolve(true);
  }

  /** The server refuses the batch: it would refuse it again. */
  refuse(batch: ProgressBatch): void {
    for (const { settle } of batch.values()) for (const resolve of settle) resolve(false);
  }

  /** The renewal had no answer: the next one carries the batch, below what was saved meanwhile. */
  restore(batch: ProgressBatch): void {
    for (const [token, entry] of batch) {
      const newer = this.#waiting.get(token);
      if (this.#isHeld(token)) {
        this.#waiting.set(token, { ...entry, ...newer, settle: [...entry.settle, ...(newer?.settle ?? [])] });
      } else for (const resolve of entry.settle) resolve(false);
    }
  }

  /** The lease is not held any more. */
  drop(token: string): void {
    for (const resolve of this.#waiting.get(token)?.settle ?? []) resolve(false);
    this.#waiting.delete(token);
  }
}

/** The batch as the server takes it. */
export function wireProgress(batch: ProgressBatch): LeaseProgress[] {
  return [...batch].map(([leaseToken, { message = "", checkpoint }]) =>
    create(LeaseProgressSchema, { leaseToken, message, ...(checkpoint !== undefined && { checkpoint }) }),
  );
}
