/** One way to call a replica, whatever the protocol: what a load writes, and what it is told. */
import type { DeletionPropagation } from "../../../gen/reconcile/v1/resource_service_pb.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { keyText } from "../history.js";
import type { Failure, Guard, RunResult, Shown } from "./operation.js";

/** A desired state. */
export interface Desired {
  readonly key: ResourceKey;
  readonly shardId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  readonly specJson: string;
  /** In the namespace of the resource; whoever has the name. */
  readonly owner?: { readonly resourceGroup: string; readonly kind: string; readonly name: string } | undefined;
}

/** A state in an answer, with what its reader may base the next write on. */
export interface Answer extends Shown {
  readonly generation: number;
  readonly observed: number;
  readonly isDeleting: boolean;
  readonly finalizers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly shardId: string;
}

/** What a write was answered with. */
export interface Written {
  readonly answer: Answer | undefined;
  readonly isRemoved: boolean;
  readonly isUnchanged: boolean;
}

/** What is read of a list at a time. */
interface Page {
  readonly answers: readonly Answer[];
  readonly next: string;
}

/** The calls both protocols have. All reject with CallFailed. */
export interface Caller {
  create(desired: Desired): Promise<Written>;
  update(desired: Desired, guard: Guard): Promise<Written>;
  /** `known` is what its caller has read; the dialect writes the metadata with the status. */
  status(key: ResourceKey, statusJson: string, guard: Guard, known: Answer | undefined): Promise<Written>;
  delete(key: ResourceKey, guard: Guard, propagation: DeletionPropagation): Promise<Written>;
  /** Undefined for NOT_FOUND. */
  get(key: ResourceKey): Promise<Answer | undefined>;
  list(kind: string, tier: string | undefined, limit: number, from: string): Promise<Page>;
}

/** The calls only RPC has. */
export interface RpcOnly {
  apply(desired: Desired): Promise<Written>;
  applyAll(desired: readonly Desired[]): Promise<readonly RunResult[]>;
  force(key: ResourceKey, finalizer: string, message: string): Promise<Written>;
  getCached(key: ResourceKey): Promise<Answer | undefined>;
  enqueue(key: ResourceKey, message: string): Promise<void>;
}

/** A call that was not done. */
export class CallFailed extends Error {
  override readonly name = "CallFailed";
  readonly failure: Failure;

  constructor(failure: Failure, cause: unknown) {
    super(`${failure.code} ${failure.reason}`, { cause });
    this.failure = failure;
  }
}

/** The key of a resource as the history has it. */
export function textOf({ resourceGroup, kind, namespace, name }: ResourceKey): string {
  return keyText(resourceGroup, kind, namespace, name);
}

/** A state that shows a resource whose last finalizer went is its last one. */
export function writtenBy(answer: Answer): Written {
  return { answer, isRemoved: answer.isDeleting && answer.finalizers.length === 0, isUnchanged: false };
}

/** For `catch` of a read: nothing is there. Rejects with everything else. */
export function undefinedIfNotFound(error: unknown): undefined {
  if (error instanceof CallFailed && error.failure.reason === "NOT_FOUND") return undefined;
  throw error;
}
