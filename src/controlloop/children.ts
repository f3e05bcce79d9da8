import { isAlreadyExists, isConflict, isNotFound } from "../client/api-error.js";
import type { ClientResource, ResourceOwner } from "../client/client-resource.js";
import { jsonText } from "../client/json-value.js";
import type { ResourceClient } from "../client/resource-client.js";
import type { ResourceDraft, WriteGuard } from "../client/resource-draft.js";
import { describeKey } from "../resource/key.js";
import { sameJson } from "../resource/same-json.js";
import { findCondition, isReady } from "./conditions.js";
import { TerminalError } from "./result.js";

/** The desired state of a child. Group, name and shard are its owner's unless given; the namespace always is. */
export interface ChildDraft extends Omit<ResourceDraft, "key" | "owner"> {
  readonly kind: string;
  readonly resourceGroup?: string;
  readonly name?: string;
}

/** How a child is applied. */
export interface ApplyChildOptions {
  /**
   * Asked about an existing resource that belongs to nobody: true takes it as a child. Default: it is a stranger's. One that
   * belongs to somebody else is never taken.
   */
  readonly adopt?: (existing: ClientResource) => boolean;
}

/** A child that is not ready, and what it says about it. */
export interface WaitingChild {
  readonly child: ClientResource;
  /** Its Ready condition's message, or what else there is to know. */
  readonly message: string;
}

/** Tries against writers of the same child; more of them in one pass are no coincidence. */
const WRITE_ATTEMPTS = 5;

/**
 * The resources that belong to the one a pass is over.
 *
 * The server makes the owner due when a child changes, and deletes the children with it: a reconciler needs neither a watch
 * nor a timer nor a finalizer for them. Every write rejects once the pass has lost its lease.
 */
export class Children {
  readonly #client: ResourceClient;
  readonly #owner: ClientResource;
  readonly #signal: AbortSignal;

  /** Made by the control loop: the children of `owner` while `signal` has not aborted. */
  constructor(client: ResourceClient, owner: ClientResource, signal: AbortSignal) {
    this.#client = client;
    this.#owner = owner;
    this.#signal = signal;
  }

  /**
   * Creates or updates a child; writes nothing when nothing differs. Labels and annotations are added to those it has, its own
   * reconciler may set some; finalizers stay when the draft names none. Rejects with {@link TerminalError} NameTaken when the
   * resource is there and not ours. One that is being deleted is returned as it is: its end makes the owner due.
   */
  async apply<Spec, Status>(draft: ChildDraft, options: ApplyChildOptions = {}): Promise<ClientResource<Spec, Status>> {
    const { kind, resourceGroup = this.#owner.key.resourceGroup, name = this.#owner.key.name, ...rest } = draft;
    const key = { resourceGroup, kind, namespace: this.#owner.key.namespace, name };
    const wanted = { shardId: this.#owner.shardId, ...rest, key, owner: this.#reference };
    for (let attempt = 1; ; attempt++) {
      const existing = await this.#client.get<Spec, Status>(key);
      this.#signal.throwIfAborted();
      try {
        if (existing === undefined) return await this.#client.create<Spec, Status>(wanted);
        if (!this.#isOwn(existing)) this.#adopt(existing, options);
        if (existing.deletionRequestedAt !== undefined) return existing;
        const merged = merge(existing, wanted);
        if (this.#isOwn(existing) && isSame(existing, merged)) return existing;
        return await this.#client.update<Spec, Status>(merged, guardOf(existing, merged));
      } catch (error) {
        const isOvertaken =
          isAlreadyExists(error) || isConflict(error) || (existing !== undefined && isNotFound(error));
        if (!isOvertaken || attempt === WRITE_ATTEMPTS) throw error;
      }
    }
  }

  /** The children there are, in the order of their creation. */
  async list<Spec, Status>(kind?: string): Promise<readonly ClientResource<Spec, Status>[]> {
    const { namespace } = this.#owner.key;
    const selection = { namespace, ownerUid: this.#owner.uid, ...(kind !== undefined && { kind }) };
    const children = [];
    for await (const child of this.#client.list<Spec, Status>(selection)) {
      // A server that does not know the filter would list everybody's, and what is listed here may be deleted.
      if (this.#isOwn(child)) children.push(child);
    }
    return children;
  }

  /** Deletes a child; it may stay while finalizers hold it. Does nothing when it is gone. Throws when it is not ours. */
  async delete(child: ClientResource): Promise<void> {
    if (!this.#isOwn(child))
      throw new Error(`${describeKey(child.key)} is no child of ${describeKey(this.#owner.key)}`);
    this.#signal.throwIfAborted();
    await this.#client.delete(child.key, { uid: child.uid }).catch((error: unknown) => {
      // Gone, or another resource has its name by now.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    });
  }

  /** The children that are not ready, or on their way out. */
  async waitingFor(): Promise<readonly WaitingChild[]> {
    return (await this.list()).flatMap((child) => {
      const message = whyWaiting(child);
      return message === undefined ? [] : [{ child, message }];
    });
  }

  /** Whether all children are ready; true when there are none. */
  async allReady(): Promise<boolean> {
    return (await this.waitingFor()).length === 0;
  }

  get #reference(): ResourceOwner {
    const { resourceGroup, kind, name } = this.#owner.key;
    return { resourceGroup, kind, name, uid: this.#owner.uid };
  }

  #isOwn(resource: ClientResource): boolean {
    return resource.owner?.uid === this.#owner.uid;
  }

  #adopt(existing: ClientResource, { adopt }: ApplyChildOptions): void {
    if (existing.owner === undefined && adopt?.(existing) === true) return;
    const whose =
      existing.owner === undefined ? "belongs to nobody" : `belongs to ${existing.owner.kind} ${existing.owner.name}`;
    throw new TerminalError("NameTaken", `${describeKey(existing.key)} exists already and ${whose}`);
  }
}

function merge(existing: ClientResource, wanted: ResourceDraft): ResourceDraft {
  const { finalizers = [] } = wanted;
  return {
    ...wanted,
    labels: new Map([...existing.labels, ...(wanted.labels ?? [])]),
    annotations: new Map([...existing.annotations, ...(wanted.annotations ?? [])]),
    finalizers: finalizers.length === 0 ? existing.finalizers : finalizers,
  };
}

/** What was merged is what is written over: no other write may come in between. A move is not guarded by the revision. */
function guardOf(existing: ClientResource, merged: ResourceDraft): WriteGuard {
  const { uid, generation, revision, shardId } = existing;
  return merged.shardId === shardId ? { uid, revision } : { uid, generation };
}

/** Compared here and not by Apply, which would also take over a stranger's that came in between. */
function isSame(existing: ClientResource, merged: ResourceDraft): boolean {
  const specJson = merged.specJson ?? jsonText("spec", merged.spec ?? null);
  return (
    existing.shardId === merged.shardId &&
    existing.labels.size === merged.labels?.size &&
    [...existing.labels].every(([name, value]) => merged.labels?.get(name) === value) &&
    existing.annotations.size === merged.annotations?.size &&
    [...existing.annotations].every(([name, value]) => merged.annotations?.get(name) === value) &&
    existing.finalizers.join("\n") === merged.finalizers?.join("\n") &&
    sameJson(existing.specJson, specJson)
  );
}

function whyWaiting(child: ClientResource): string | undefined {
  if (child.deletionRequestedAt !== undefined) return "it is being deleted";
  if (isReady(child)) return undefined;
  const ready = findCondition(child, "Ready");
  if (ready === undefined) return "no pass yet";
  return ready.status === "True" ? "its desired state has changed" : ready.message || ready.reason;
}
