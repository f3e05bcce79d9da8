import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ListKindsResponse } from "../../gen/reconcile/v1/resource_service_pb.js";
import { readTime } from "./client-resource.js";

/** A kind that has resources, or a reconciler, and how it does. */
export interface ClientKind {
  readonly resourceGroup: string;
  readonly kind: string;
  readonly resources: number;
  /** Of these, how many have a generation above their observed generation. */
  readonly pending: number;
  /** How many have a status with a condition Ready that is not True. */
  readonly notReady: number;
  /** Of how many the last pass failed. */
  readonly failing: number;
  readonly quarantined: number;
  /** Work items that are due and that nobody holds. */
  readonly due: number;
  /** Work items that a worker holds. */
  readonly leased: number;
  /** Since when the oldest of the due items is due; undefined when none is. */
  readonly oldestDueAt: Date | undefined;
  /** The reconciler with live sessions for the kind; empty when there is none. */
  readonly reconciler: string;
  /** How many sessions that is. */
  readonly sessions: number;
}

/** All kinds, as they were counted some seconds ago at most, or longer in a large store. */
export interface ClientKinds {
  /** By group and kind. */
  readonly kinds: readonly ClientKind[];
  readonly countedAt: Date;
}

/** Reads the answer of ListKinds. */
export function readKinds({ kinds, countedAt }: ListKindsResponse): ClientKinds {
  return {
    kinds: kinds.map(({ $typeName, $unknown, ...kind }) => ({
      ...kind,
      resources: Number(kind.resources),
      pending: Number(kind.pending),
      notReady: Number(kind.notReady),
      failing: Number(kind.failing),
      quarantined: Number(kind.quarantined),
      due: Number(kind.due),
      leased: Number(kind.leased),
      oldestDueAt: kind.oldestDueAt && timestampDate(kind.oldestDueAt),
    })),
    countedAt: readTime(countedAt),
  };
}
