/** The TypeScript client: the package entry `reconcile-toolkit/client`. */
export type { ResourceKey } from "../resource/key.js";
export {
  ApiError,
  type ApiErrorCode,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isOutcomeUnknown,
  isTokenRefused,
  isUnavailable,
} from "./api-error.js";
export type { ClientHistoryEntry } from "./client-history.js";
export type { ClientKind, ClientKinds } from "./client-kinds.js";
export type { ClientResource, ResourceOwner } from "./client-resource.js";
export type { ClientDependency, ClientServerStatus } from "./client-server.js";
export type {
  ClientFinalizerHold,
  ClientListedWork,
  ClientSession,
  ClientWork,
  ClientWorkItem,
} from "./client-work.js";
export { type ClientOptions, createResourceClient } from "./connect.js";
export type {
  Applied,
  ListOptions,
  Propagation,
  ResourceClient,
  ResourceSelection,
  WorkFilter,
} from "./resource-client.js";
export type { OwnerReference, ResourceDraft, WriteGuard, WriteOptions } from "./resource-draft.js";
export type { ClientWatchBatch, ClientWatchEvent, WatchOptions } from "./resource-watch.js";
