import type { LabelSelector } from "./label-selector.js";

/** Selects resources by exact fields; undefined matches everything. */
export interface ResourceFilter {
  readonly resourceGroup?: string | undefined;
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly shardId?: string | undefined;
  /** Of the owner, as the server writes uids. */
  readonly ownerUid?: string | undefined;
  readonly labels?: LabelSelector | undefined;
}
