import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { kindId } from "../../resource/key.js";
import { isReady } from "../redis-connection.js";
import type { RedisHealth } from "../redis-health.js";
import type { DueHint } from "./change-log.js";
import type { StreamKeys } from "./stream-keys.js";

/** Carries "work became due" between replicas (2.8). A hint may be lost: replicas look every few seconds regardless. */
export interface DoorbellChannel {
  /** Tells the other replicas; never delays the caller and never fails. */
  ring(hints: readonly DueHint[]): void;
  /** Calls `listener` with the hints of other replicas; those of this process are not delivered back. */
  listen(listener: (hints: readonly DueHint[]) => void): void;
  close(): Promise<void>;
}

/** Kinds waiting to be told while a message is in flight; more are dropped (I9). */
const MAX_PENDING_KINDS = 1_000;

interface Message {
  readonly from: string;
  readonly hints: readonly DueHint[];
}

/** The doorbell over Redis pub/sub. Hints that come while one message is in flight go together, one per kind. */
export class RedisDoorbellChannel implements DoorbellChannel {
  readonly #publisher: Redis;
  readonly #subscriber: Redis;
  readonly #health: RedisHealth;
  readonly #channel: string;
  readonly #processId = randomUUID();
  readonly #pending = new Map<string, DueHint>();
  readonly #listeners = new Set<(hints: readonly DueHint[]) => void>();
  #isSending = false;

  /** `subscriber` is this channel's alone. */
  constructor(options: { publisher: Redis; subscriber: Redis; health: RedisHealth; keys: StreamKeys }) {
    this.#publisher = options.publisher;
    this.#subscriber = options.subscriber;
    this.#health = options.health;
    this.#channel = options.keys.due();
    this.#subscriber.on("ready", this.#subscribe);
    this.#subscriber.on("message", this.#onMessage);
    // No hints: the other replicas hear that nothing is due.
    this.#health.setProbe("notify", () => this.#publish([]));
    this.#health.setProbe("listen", () => this.#subscriber.subscribe(this.#channel));
    this.#subscribe();
  }

  ring(hints: readonly DueHint[]): void {
    for (const hint of hints) {
      const id = kindId(hint);
      const earlier = this.#pending.get(id);
      if (earlier === undefined && this.#pending.size >= MAX_PENDING_KINDS) continue;
      if (earlier === undefined || hint.inMs < earlier.inMs) this.#pending.set(id, hint);
    }
    if (!this.#isSending) void this.#send();
  }

  listen(listener: (hints: readonly DueHint[]) => void): void {
    this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#pending.clear();
    this.#subscriber.off("ready", this.#subscribe);
    this.#subscriber.off("message", this.#onMessage);
    this.#subscriber.disconnect();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    while (this.#pending.size > 0) {
      const hints = [...this.#pending.values()];
      this.#pending.clear();
      if (!isReady(this.#publisher)) continue;
      // A lost hint costs seconds, never a pass; what is wrong is reported.
      await this.#health.watch("notify", () => this.#publish(hints)).catch(() => {});
    }
    this.#isSending = false;
  }

  #publish(hints: readonly DueHint[]): Promise<number> {
    const message: Message = { from: this.#processId, hints };
    return this.#publisher.publish(this.#channel, JSON.stringify(message));
  }

  readonly #subscribe = (): void => {
    if (!isReady(this.#subscriber)) return;
    // "ready" comes again, and what is refused is tried again by its probe.
    this.#health.watch("listen", () => this.#subscriber.subscribe(this.#channel)).catch(() => {});
  };

  readonly #onMessage = (_channel: string, text: string): void => {
    const message = parseMessage(text);
    if (message === undefined || message.from === this.#processId) return;
    for (const listener of this.#listeners) listener(message.hints);
  };
}

function parseMessage(text: string): Message | undefined {
  try {
    const message: unknown = JSON.parse(text);
    return isMessage(message) ? message : undefined;
  } catch {
    return undefined; // Not ours.
  }
}

function isMessage(value: unknown): value is Message {
  if (typeof value !== "object" || value === null || !("from" in value) || !("hints" in value)) return false;
  return typeof value.from === "string" && Array.isArray(value.hints) && value.hints.every(isHint);
}

function isHint(value: unknown): value is DueHint {
  return (
    typeof value === "object" &&
    value !== null &&
    "resourceGroup" in value &&
    typeof value.resourceGroup === "string" &&
    "kind" in value &&
    typeof value.kind === "string" &&
    "inMs" in value &&
    typeof value.inMs === "number"
  );
}
