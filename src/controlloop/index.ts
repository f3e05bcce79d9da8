/** The reconcile library: the package entry `reconcile-toolkit/controlloop`. */
export type { ClientResource, ResourceOwner } from "../client/client-resource.js";
export type { ResourceClient } from "../client/resource-client.js";
export type { ResourceKey } from "../resource/key.js";
export type { ApplyChildOptions, ChildDraft, Children, WaitingChild } from "./children.js";
export { type Condition, findCondition, isReady } from "./conditions.js";
export { type ControlLoop, type ControlLoopOptions, runControlLoop } from "./control-loop.js";
export { createInformer, type Informer, type InformerChange, type InformerOptions } from "./informer.js";
export type { Progress } from "./progress-outbox.js";
export {
  type ConditionStatus,
  defineReconciler,
  type ReconcileContext,
  type Reconciler,
  type ReconcilerDefinition,
} from "./reconciler.js";
export { done, type MergeOption, type PassOutcome, requeueAfter, type StatusPatch, TerminalError } from "./result.js";
export type { SchemaIssue, SchemaResult, StandardSchema } from "./spec-schema.js";
