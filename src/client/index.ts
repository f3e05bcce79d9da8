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
export type { ClientResource } from "./client-resource.js";
export {
  type ClientOptions,
  createResourceClient,
  type ResourceClient,
  type ResourceDraft,
  type ResourceSelection,
  type WriteGuard,
} from "./resource-client.js";
export type { ClientWatchBatch, ClientWatchEvent, WatchOptions } from "./resource-watch.js";
