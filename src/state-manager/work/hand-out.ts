import { DomainError } from "../../resource/errors.js";
import type { Resource } from "../../resource/resource.js";
import type { DueHint } from "../log/change-log.js";
import { payloadBytes } from "../store/resource-row.js";
import type { CommandSink, ResourceReader } from "../store/store.js";
import type { LeaseQuery, MarkedItem } from "./lease-query.js";
import type { KnownSession } from "./sessions.js";
import type { LeasedItem } from "./work-service.js";

/** What hand-out needs. */
export interface HandOutOptions {
  readonly query: LeaseQuery;
  readonly reader: Pick<ResourceReader, "get">;
  readonly sink: CommandSink;
  readonly onDue: (hints: readonly DueHint[]) => void;
}

/**
 * The longest from before a look to the hand-out of what it leased. Renew returns leases older than 5 s that it does not list:
 * one that came to its worker later could be somebody else's by then (I7).
 */
export const HAND_OUT_MAX_MS = 3_000;

/** An answer is not larger, its first item apart: what gRPC clients accept by default is 4 MiB. */
const ANSWER_MAX_BYTES = 3 * 1024 * 1024;

/** Token, times, numbers and the frame of an item: what its texts do not account for. */
const ITEM_FIXED_BYTES = 512;

/** Objects that did not come with their leases are read so many at once: each may be 1 MiB, and only some may fit. */
const READ_AT_ONCE = 32;

/**
 * Turns fresh leases into what a worker gets: reads the objects that did not come with them, and makes sure the reconciler's
 * finalizer is on each before anyone can act on it (2.9).
 */
export class HandOut {
  readonly #options: HandOutOptions;

  constructor(options: HandOutOptions) {
    this.#options = options;
  }

  /** The items to hand out now: what cannot be, does not fit or comes too late goes back. On an error all go back. */
  async prepare(session: KnownSession, marked: readonly MarkedItem[]): Promise<readonly LeasedItem[]> {
    const { sessionId } = session;
    const items = await this.#fill(session, marked).catch(async (error: unknown) => {
      await this.giveBack(sessionId, marked);
      throw error;
    });
    const kept = new Set(items.map(({ leaseToken }) => leaseToken));
    const others = marked.filter(({ leaseToken }) => !kept.has(leaseToken));
    await this.giveBack(sessionId, others);
    // The last thing before the answer: nothing is waited for in between.
    if (marked.every(({ lookedAt }) => performance.now() - lookedAt <= HAND_OUT_MAX_MS)) return items;
    await this.giveBack(sessionId, items);
    return [];
  }

  /** Returns leases that no worker has seen. When that fails they return at the session's next Renew, or with its end. */
  async giveBack(sessionId: string, marked: readonly { readonly leaseToken: string }[]): Promise<void> {
    if (marked.length === 0) return;
    const tokens = marked.map((item) => item.leaseToken);
    this.#options.onDue(await this.#options.query.giveBack(sessionId, tokens).catch(() => []));
  }

  /** As many of the items, in order, as fit one answer; one at least. */
  async #fill(session: KnownSession, marked: readonly MarkedItem[]): Promise<LeasedItem[]> {
    const items: LeasedItem[] = [];
    let bytes = 0;
    for (let from = 0; from < marked.length && bytes < ANSWER_MAX_BYTES; from += READ_AT_ONCE) {
      const chunk = marked.slice(from, from + READ_AT_ONCE);
      const checkpoints = await this.#checkpoints(session, chunk);
      for (const item of await Promise.all(chunk.map((item) => this.#prepareOne(session, item, checkpoints)))) {
        if (item === undefined) continue;
        bytes += itemBytes(item);
        if (items.length === 0 || bytes <= ANSWER_MAX_BYTES) items.push(item);
      }
    }
    return items;
  }

  /** What earlier holders left. Read like the objects, a piece at a time, as each may be large; most leases have none. */
  async #checkpoints(session: KnownSession, marked: readonly MarkedItem[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const tokens = marked.filter((item) => item.hasCheckpoint).map(({ leaseToken }) => leaseToken);
    return tokens.length === 0 ? new Map() : this.#options.query.checkpoints(session.sessionId, tokens);
  }

  /** Undefined when the item cannot be handed out. */
  async #prepareOne(
    session: KnownSession,
    marked: MarkedItem,
    checkpoints: ReadonlyMap<string, Uint8Array>,
  ): Promise<LeasedItem | undefined> {
    const { query, reader } = this.#options;
    const current = marked.resource ?? (await reader.get(marked.key));
    if (current?.id !== marked.resourceId) {
      await query.drop(session.sessionId, [marked.leaseToken]);
      return undefined;
    }
    const resource = needsHold(session, current) ? await this.#hold(session, marked) : current;
    if (resource === undefined) return undefined;
    const { leaseToken, failures, deadline, reason, message, progress, isSolo } = marked;
    const checkpoint = checkpoints.get(leaseToken);
    return { resource, leaseToken, attempt: failures + 1, deadline, reason, message, progress, checkpoint, isSolo };
  }

  /** The resource with the finalizer on; undefined when it cannot be put on. */
  async #hold(session: KnownSession, marked: MarkedItem): Promise<Resource | undefined> {
    const { query, sink, onDue } = this.#options;
    const { sessionId, finalizer } = session;
    const { key, leaseToken, resourceId } = marked;
    try {
      const held = await sink.submit({ type: "hold", key, leaseToken, sessionId, finalizer });
      // Otherwise the lease is not ours any more, or its resource was removed meanwhile; the removal marked the item then.
      if (held.resource?.id === resourceId) return held.resource;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      onDue(await query.fail(sessionId, leaseToken, `could not add finalizer ${finalizer}: ${error.message}`));
    }
    return undefined;
  }
}

/** A resource on its way out takes no new hold: whoever never had it has nothing to clean up. */
function needsHold({ finalizer }: KnownSession, resource: Resource): boolean {
  return finalizer !== "" && resource.deletionRequestedAt === null && !resource.finalizers.includes(finalizer);
}

/** The resource cannot take the finalizer (it has too many, or is too big): trying again at once would not help. */
function isRefusal(error: unknown): error is DomainError {
  return error instanceof DomainError && (error.code === "INVALID_ARGUMENT" || error.code === "FAILED_PRECONDITION");
}

/** About what an item takes in an answer. */
function itemBytes({ resource, message, progress, checkpoint }: LeasedItem): number {
  const { key, shardId, finalizers } = resource;
  const texts = [key.resourceGroup, key.kind, key.namespace, key.name, shardId, message, progress, ...finalizers];
  // In Connect JSON a checkpoint is base64.
  const bytes = ITEM_FIXED_BYTES + payloadBytes(resource) + Math.ceil(((checkpoint?.byteLength ?? 0) * 4) / 3);
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), bytes);
}
