/** The TypeScript client: the package entry `reconcile-toolkit/client`. */
export type { ResourceKey } from "../resource/key.js";
export {
  ApiError,
  type ApiErrorCode,
  isAlreadyExists,
  isConflict,
  isNotFound,
  isTokenRefused,
  isUnavailable,
} from "./api-error.js";
export type { ClientResource, ResourceOwner } from "./client-resource.js";
export type { ClientFinalizerHold, ClientWork, ClientWorkItem } from "./client-work.js";
export {
  type ClientOptions,
  createResourceClient,
  type OwnerReference,
  type Propagation,
  type ResourceClient,
  type ResourceDraft,
  type ResourceSelection,
  type WriteGuard,
} from "./resource-client.js";
export type { ClientWatchBatch, ClientWatchEvent, WatchOptions } from "./resource-watch.js";
