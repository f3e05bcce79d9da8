import type { Change, Position } from "../../resource/change.js";
import { changeSize } from "../log/change-size.js";

/** What a ring keeps at most; the older of the two limits that is reached counts (I9). */
export interface RingLimits {
  /** 8,192 by default: half a second of the fastest writer. */
  readonly maxEvents: number;
  /** 64 MiB by default. */
  readonly maxBytes: number;
}

/** What the ring has for a position. */
export type RingRead =
  /** Changes directly after the position. */
  | { readonly type: "changes"; readonly changes: readonly Change[] }
  /** The position is the newest one. */
  | { readonly type: "end" }
  /** The position is newer than the ring. */
  | { readonly type: "ahead" }
  /** Too old, or of another lineage: the ring cannot tell which. */
  | { readonly type: "missing" };

const END: RingRead = { type: "end" };
const AHEAD: RingRead = { type: "ahead" };
const MISSING: RingRead = { type: "missing" };

/**
 * The newest changes of one log: a chain without gaps that ends at `head` (W2). Dropping the oldest costs nobody a change:
 * who still needs it reads it from Redis or PostgreSQL.
 */
export class RingBuffer {
  readonly #limits: RingLimits;
  readonly #slots: (Change | undefined)[];
  /** Slot of the oldest change. */
  #start = 0;
  #length = 0;
  #bytes = 0;
  #head: Position;

  constructor(head: Position, limits: RingLimits) {
    this.#limits = limits;
    this.#slots = new Array(limits.maxEvents);
    this.#head = head;
  }

  /** The position of the newest change, kept when the ring is empty. */
  get head(): Position {
    return this.#head;
  }

  /** Appends the successor of `head`; throws when it is not: a ring with a gap would lie to every watcher (I2). */
  append(change: Change): void {
    if (change.revision !== this.#head.revision + 1n || change.previousFingerprint !== this.#head.fingerprint) {
      throw new Error(`change ${change.revision} does not follow ${this.#head.revision} in log ${change.log}`);
    }
    const size = changeSize(change);
    while (this.#length > 0 && (this.#length >= this.#limits.maxEvents || this.#bytes + size > this.#limits.maxBytes)) {
      this.#dropOldest();
    }
    this.#slots[(this.#start + this.#length) % this.#limits.maxEvents] = change;
    this.#length += 1;
    this.#bytes += size;
    this.#head = { revision: change.revision, fingerprint: change.fingerprint };
  }

  /** Forgets everything and goes on after `head`. */
  reset(head: Position): void {
    this.#slots.fill(undefined);
    this.#start = 0;
    this.#length = 0;
    this.#bytes = 0;
    this.#head = head;
  }

  /** Up to `limit` changes directly after `after`. */
  read(after: Position, limit: number): RingRead {
    const distance = this.#head.revision - after.revision;
    if (distance < 0n) return AHEAD;
    if (distance === 0n) return after.fingerprint === this.#head.fingerprint ? END : MISSING;
    if (distance > BigInt(this.#length)) return MISSING;
    const offset = this.#length - Number(distance);
    if (this.#at(offset)?.previousFingerprint !== after.fingerprint) return MISSING;
    return { type: "changes", changes: this.#slice(offset, Math.min(this.#length, offset + limit)) };
  }

  /** The fingerprint of a revision the ring knows; undefined for others. */
  fingerprintAt(revision: bigint): bigint | undefined {
    const distance = this.#head.revision - revision;
    if (distance === 0n) return this.#head.fingerprint;
    if (distance < 0n || distance >= BigInt(this.#length)) return undefined;
    return this.#at(this.#length - 1 - Number(distance))?.fingerprint;
  }

  #at(offset: number): Change | undefined {
    return this.#slots[(this.#start + offset) % this.#limits.maxEvents];
  }

  #slice(from: number, to: number): readonly Change[] {
    const changes: Change[] = [];
    for (let offset = from; offset < to; offset++) {
      const change = this.#at(offset);
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  #dropOldest(): void {
    const oldest = this.#slots[this.#start];
    this.#slots[this.#start] = undefined;
    this.#start = (this.#start + 1) % this.#limits.maxEvents;
    this.#length -= 1;
    if (oldest !== undefined) this.#bytes -= changeSize(oldest);
  }
}
