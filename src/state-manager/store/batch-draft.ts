import type { Change, ChangeType, Position } from "../../resource/change.js";
import type { Command } from "../../resource/command.js";
import { type Decision, type DecisionContext, decide, type KeyState, keyOf } from "../../resource/decide.js";
import { keyId, type ResourceKey } from "../../resource/key.js";
import { logOf } from "../../resource/log-of.js";
import { type OwnerFacts, ownerKey } from "../../resource/owner.js";
import { childChanged, endOf, isAwaited, ownersConcerned } from "../../resource/owner-effect.js";
import type { Resource } from "../../resource/resource.js";
import type { Ending } from "./statements/collections.js";
import type { CommandResult } from "./store.js";

/** A key's state when the batch read it, and as the batch leaves it. */
export interface KeyDraft {
  readonly key: ResourceKey;
  readonly before: KeyState;
  after: KeyState;
}

/** What became of one command of a batch. */
export type ItemOutcome =
  | { readonly type: "done"; readonly result: CommandResult }
  | { readonly type: "refused"; readonly error: unknown }
  /** The resource lives in a log whose head this batch does not hold: it moved since the batch was put together. */
  | { readonly type: "elsewhere"; readonly log: number };

/** What a draft stands on: read after the heads were locked. */
export interface DraftBasis {
  readonly logCount: number;
  /** The last position of every locked log. */
  readonly ends: ReadonlyMap<number, Position>;
  /** The states of the keys that have any, by `keyId`. */
  readonly states: ReadonlyMap<string, KeyState>;
  /** The owners that the commands concern, by `keyId`. */
  readonly owners: ReadonlyMap<string, OwnerFacts>;
  /** Random, never 0. */
  readonly fingerprint: bigint;
  readonly context: Omit<DecisionContext, "findOwner">;
}

const NOTHING: KeyState = { resource: undefined, item: undefined, isSessionLive: false };

/**
 * Decides the commands of one batch in order, each on the state the one before left, and numbers their changes without gaps
 * (2.3). In memory only; the transaction writes what comes out.
 */
export class BatchDraft {
  readonly changes: Change[] = [];
  /** Resources that go, or whose deletion was requested: what they own is to be dealt with. */
  readonly endings: Ending[] = [];
  /** Uids of owners that wait for their children and lost one, or were told not to wait. */
  readonly woken = new Set<string>();
  readonly #basis: DraftBasis;
  readonly #context: DecisionContext;
  readonly #keys = new Map<string, KeyDraft>();
  readonly #ends: Map<number, Position>;

  constructor(basis: DraftBasis) {
    this.#basis = basis;
    this.#context = { ...basis.context, findOwner: (key) => this.#ownerAt(key) };
    this.#ends = new Map(basis.ends);
  }

  /** The keys the commands touched, and those of owners that came due. */
  get keys(): Iterable<KeyDraft> {
    return this.#keys.values();
  }

  /** The last position of every log, as the commands so far leave it. */
  get ends(): ReadonlyMap<number, Position> {
    return this.#ends;
  }

  /** Decides one command. A refusal leaves the draft as it was. */
  apply(command: Command): ItemOutcome {
    const draft = this.#draftOf(keyOf(command));
    const { resource: before } = draft.after;
    if (before !== undefined) {
      const log = this.#logOf(before);
      if (!this.#ends.has(log)) return { type: "elsewhere", log };
    }
    try {
      const decision = decide(draft.after, command, this.#context);
      const isWritten = decision.resource !== before;
      const resource = isWritten ? this.#number(before, decision) : before;
      draft.after = { ...draft.after, resource, item: decision.item };
      if (isWritten) this.#relate(draft.key, before, resource);
      // Its collection must not wait for what holds the owner no more.
      if (isWritten && command.type === "force-finalizer" && before !== undefined) this.woken.add(before.uid);
      const answer = decision.answer === decision.resource ? resource : decision.answer;
      return { type: "done", result: { outcome: decision.outcome, resource: answer, previous: before } };
    } catch (error) {
      return { type: "refused", error };
    }
  }

  /** Appends the changes of one write and returns the resource with its revision. */
  #number(before: Resource | undefined, { resource: after, answer }: Decision): Resource | undefined {
    if (before !== undefined && (after === undefined || after.shardId !== before.shardId)) {
      // The log tells what the last write made of it, in the shard where it was.
      const last = after === undefined && answer !== undefined ? { ...answer, shardId: before.shardId } : before;
      this.#append("DELETED", last, before, after?.shardId ?? null);
    }
    if (after === undefined) return undefined;
    const isAdded = before === undefined || after.shardId !== before.shardId;
    return this.#append(isAdded ? "ADDED" : "MODIFIED", after, isAdded ? undefined : before, null);
  }

  #append(type: ChangeType, state: Resource, before: Resource | undefined, movedTo: string | null): Resource {
    const log = this.#logOf(state);
    const last = this.#ends.get(log);
    if (last === undefined) throw new Error(`log ${log} is not locked`);
    const { fingerprint } = this.#basis;
    const revision = last.revision + 1n;
    const resource = { ...state, revision };
    this.#ends.set(log, { revision, fingerprint });
    this.changes.push({
      log,
      revision,
      fingerprint,
      previousFingerprint: last.fingerprint,
      type,
      resource,
      previousLabels: before?.labels ?? null,
      previousOwnerUid: before?.owner?.uid ?? null,
      previousRevision: before?.revision ?? 0n,
      previousGeneration: before?.generation ?? 0n,
      movedTo,
    });
    return resource;
  }

  /** What a write means to the owner of the resource, and to those it owns. */
  #relate(key: ResourceKey, before: Resource | undefined, after: Resource | undefined): void {
    for (const { uid, ...name } of ownersConcerned(before, after)) {
      const owner = this.#ownerAt(ownerKey(name, key));
      if (owner?.uid !== uid) continue;
      const draft = this.#draftOf(owner.key);
      draft.after = { ...draft.after, item: childChanged(owner, draft.after.item, key, this.#context.now) };
      if (isAwaited(owner, after)) this.woken.add(uid);
    }
    const propagation = endOf(before, after);
    if (before !== undefined && propagation !== undefined) {
      this.endings.push({ id: before.id, key, uid: before.uid, propagation });
    }
  }

  /** The resource with `key` as the commands so far left it, as far as owners are concerned. */
  #ownerAt(key: ResourceKey): OwnerFacts | undefined {
    const id = keyId(key);
    const draft = this.#keys.get(id);
    const isWritten = draft !== undefined && draft.after.resource !== draft.before.resource;
    return isWritten ? draft.after.resource : this.#basis.owners.get(id);
  }

  #logOf(resource: Resource): number {
    return logOf(resource.shardId, this.#basis.logCount);
  }

  #draftOf(key: ResourceKey): KeyDraft {
    const id = keyId(key);
    let draft = this.#keys.get(id);
    if (draft === undefined) {
      const before = this.#basis.states.get(id) ?? NOTHING;
      draft = { key, before, after: before };
      this.#keys.set(id, draft);
    }
    return draft;
  }
}
