import type { KindCounts } from "../service/resource-service.js";

/** The `/api/v1` JSON of the kinds there are. What is not there is null, so that every field is always there. */
export function kindsJson({ kinds, countedAt }: KindCounts): string {
  return JSON.stringify({
    counted_at: countedAt,
    kinds: kinds.map((kind) => ({
      resource_group: kind.resourceGroup,
      kind: kind.kind,
      resources: Number(kind.resources),
      pending: Number(kind.pending),
      not_ready: Number(kind.notReady),
      failing: Number(kind.failing),
      quarantined: Number(kind.quarantined),
      due: Number(kind.due),
      leased: Number(kind.leased),
      oldest_due_at: kind.oldestDueAt,
      reconciler: kind.reconciler === "" ? null : kind.reconciler,
      sessions: kind.sessions,
    })),
  });
}
