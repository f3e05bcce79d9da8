import { DomainError } from "../../resource/errors.js";
import type { Resource } from "../../resource/resource.js";
import type { DueHint } from "../log/change-log.js";
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
 * Turns fresh leases into what a worker gets: reads the objects, after the leases were committed (2.8), and makes sure the
 * reconciler's finalizer is on each before anyone can act on it (2.9).
 */
export class HandOut {
  readonly #options: HandOutOptions;

  constructor(options: HandOutOptions) {
    this.#options = options;
  }

  /** The items to hand out; those that cannot be are left out and their leases end. On an error all go back. */
  async prepare(session: KnownSession, marked: readonly MarkedItem[]): Promise<LeasedItem[]> {
    try {
      const items = await Promise.all(marked.map((item) => this.#prepareOne(session, item)));
      return items.filter((item) => item !== undefined);
    } catch (error) {
      await this.giveBack(session.sessionId, marked);
      throw error;
    }
  }

  /** Returns leases that no worker has seen. When that fails they return at the session's next Renew, or with its end. */
  async giveBack(sessionId: string, marked: readonly { readonly leaseToken: string }[]): Promise<void> {
    const tokens = marked.map((item) => item.leaseToken);
    this.#options.onDue(await this.#options.query.giveBack(sessionId, tokens).catch(() => []));
  }

  async #prepareOne(session: KnownSession, marked: MarkedItem): Promise<LeasedItem | undefined> {
    const { query, reader, onDue } = this.#options;
    const current = await reader.get(marked.key);
    if (current?.id !== marked.resourceId) {
      onDue(await query.drop(session.sessionId, [marked.leaseToken]));
      return undefined;
    }
    const resource = needsHold(session, current) ? await this.#hold(session, marked) : current;
    if (resource === undefined) return undefined;
    const { leaseToken, failures, deadline, reason, message } = marked;
    return { resource, leaseToken, attempt: failures + 1, deadline, reason, message };
  }

  /** The resource with the finalizer on; undefined when it cannot be handed out, and its lease has ended then. */
  async #hold(session: KnownSession, marked: MarkedItem): Promise<Resource | undefined> {
    const { query, sink, onDue } = this.#options;
    const { sessionId, finalizer } = session;
    const { key, leaseToken, resourceId } = marked;
    try {
      const held = await sink.submit({ type: "hold", key, leaseToken, sessionId, finalizer });
      if (held.resource?.id === resourceId) return held.resource;
      // The lease is not ours any more, or its resource was removed meanwhile; the removal marked the item then.
      onDue(await query.giveBack(sessionId, [leaseToken]));
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
