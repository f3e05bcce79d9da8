import type { Logger } from "pino";
import type { WorkReason } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import type { ClientResource } from "../client/client-resource.js";
import type { ResourceClient } from "../client/resource-client.js";
import type { Children } from "./children.js";
import type { Progress } from "./progress-outbox.js";
import type { PassOutcome } from "./result.js";
import { parseBySchema, type StandardSchema } from "./spec-schema.js";

/**
 * A reconciler: drives reality towards the declared state of one kind of resource.
 *
 * A pass is told which resource, never what changed; it reads, compares and acts, and must be safe to repeat. Passes over
 * one resource never overlap (I7); passes over different ones run side by side.
 */
export interface ReconcilerDefinition<Spec, Status> {
  /** Names the reconciler: all instances of one name share the work; another name is refused for the same kind. */
  readonly name: string;
  readonly resourceGroup: string;
  readonly kind: string;
  /**
   * Kept on every resource from before its first pass until a pass over the deleting resource ends with `done()`, so no
   * side effect can outlive its resource. Leave it out when there is nothing to clean up.
   */
  readonly finalizer?: string;
  /** Only resources of these shards; default: all. */
  readonly shardIds?: readonly string[];
  /** Passes at once in this process, 1 to 1,000; default 16. */
  readonly concurrency?: number;
  /** Every resource gets a pass at least this often, 1 s to 7 days; default 10 min. */
  readonly resyncPeriodMs?: number;
  /** The longest a pass may take, 100 ms to 24 h; default 5 min (I11). */
  readonly passDeadlineMs?: number;
  /** How long the server waits for a silent worker, 1 s to 10 min; default 30 s. */
  readonly leaseDurationMs?: number;
  /** First wait after an error, 1 ms to 1 h, doubled by every further one; default 5 ms. */
  readonly backoffBaseMs?: number;
  /** Longest wait after an error, up to 24 h; default 1,000 s. */
  readonly backoffMaxMs?: number;
  /** Passes handed to this process per second at most; default: no limit. */
  readonly passesPerSecond?: number;
  /** Passes handed out at once after a pause, with `passesPerSecond`; default: `passesPerSecond`, at least 1. */
  readonly burst?: number;
  /** Passes at once over all processes of this reconciler; default: no limit. The newest registration decides. */
  readonly kindConcurrency?: number;
  /**
   * Keeps the condition Ready: True after a pass that did not fail when all conditions of these types are True; else it says
   * what is missing. After a failed pass it is False, reason ReconcileFailed, with the error as its message. An empty list:
   * Ready tells whether the last pass failed. Then the reconciler must not set Ready itself. While a pass comes back for the same
   * generation, conditions that an earlier generation left do not count.
   *
   * Default: only `setCondition` and {@link TerminalError} change Ready.
   */
  readonly readyWhen?: readonly string[];
  /**
   * Checks the spec and gives it its type: a schema of zod, valibot, arktype or another library that implements the Standard
   * Schema. Works as `parseSpec` does, in its place.
   */
  readonly schema?: StandardSchema<Spec>;
  /**
   * Checks the parsed spec and returns it typed. What it throws becomes the condition Ready = False (reason InvalidSpec)
   * and no retry: only a new spec helps. A deleting resource gets its pass in any case; there, looking at `spec` throws.
   */
  parseSpec?(spec: unknown): Spec;
  /** One pass. Return `done` or `requeueAfter`; throw to be retried after back-off. */
  reconcile(
    resource: ClientResource<Spec, Status>,
    context: ReconcileContext,
  ): PassOutcome<Status> | Promise<PassOutcome<Status>>;
}

/** What a pass gets besides the resource. What it sets here is stored together with its result, or not at all. */
export interface ReconcileContext {
  /** Aborts when the lease is lost, the deadline is near or the process stops: from then on nothing may be changed. */
  readonly signal: AbortSignal;
  readonly client: ResourceClient;
  /** Names the resource in every line. */
  readonly logger: Logger;
  /** 1 for the first pass since the last success. */
  readonly attempt: number;
  /** Why the resource is due: for logs. Never decide by it, several reasons may have become one. */
  readonly reason: keyof typeof WorkReason;
  /** The words given with Enqueue, or the last error. */
  readonly message: string;
  /** The deletion was requested: clean up and return `done()`. */
  readonly isDeleting: boolean;
  /** Workers died over this resource: it is given out alone, until a pass has been reported. */
  readonly isSolo: boolean;
  /** What an earlier pass saved since the last success; undefined when none did. */
  readonly checkpoint: Uint8Array | undefined;
  /** The words it saved with that; empty when none did. */
  readonly progress: string;
  /** The resources that belong to this one. */
  readonly children: Children;
  /**
   * Tells how far the pass has come, within a second; of what follows faster only the latest is sent. Resolves to whether
   * the server has it, false when the pass ended or lost its lease first. Throws RangeError when it is too long.
   */
  saveProgress(progress: Progress): Promise<boolean>;
  /** Sets a condition in `status.conditions`; `reason` is one CamelCase word. The last one of a type counts. */
  setCondition(type: string, status: ConditionStatus, reason: string, message: string): void;
  addFinalizer(name: string): void;
  removeFinalizer(name: string): void;
  /** Sets a label; null removes it. */
  setLabel(key: string, value: string | null): void;
  /** Sets an annotation; null removes it. */
  setAnnotation(key: string, value: string | null): void;
}

/** The truth of a condition. */
export type ConditionStatus = "True" | "False" | "Unknown";

/** A definition whose types the control loop no longer needs to know. Made by {@link defineReconciler}. */
export type Reconciler = Omit<ReconcilerDefinition<unknown, unknown>, "reconcile" | "schema"> & {
  reconcile(resource: ClientResource, context: ReconcileContext): Promise<PassOutcome<unknown>>;
};

/** Turns a typed definition into what `runControlLoop` takes. Throws when it has both `schema` and `parseSpec`. */
export function defineReconciler<Spec, Status>(definition: ReconcilerDefinition<Spec, Status>): Reconciler {
  const { schema, ...rest } = definition;
  if (schema !== undefined && definition.parseSpec !== undefined) {
    throw new Error(`the reconciler ${definition.name} has a schema and parseSpec; leave one of them out`);
  }
  return {
    ...rest,
    ...(schema !== undefined && { parseSpec: (spec: unknown) => parseBySchema(schema, spec) }),
    // The one place where JSON becomes a type: parseSpec proves it for the spec, and for the status, which only this
    // reconciler writes, the definition is believed.
    reconcile: async (resource, context) => definition.reconcile(resource as ClientResource<Spec, Status>, context),
  };
}
