import { PassResult, ReportOutcome } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { connect } from "../../src/client/connect.js";
import type { Backlog } from "../questions/queue.js";
import type { Stage } from "../stage.js";
import { BATCH, inLanes, LANES } from "./lanes.js";
import { STATUS } from "./status.js";
import { createMany } from "./widgets.js";

/** Of the worker that reconciles widgets. */
export const registration = {
  ...{ name: "bench", instanceId: "bench", language: "typescript", concurrency: LANES * BATCH },
  ...{ kinds: [{ resourceGroup: "bench", kind: "widget" }], leaseDuration: { seconds: 60n } },
};

/** New resources, each leased and reported as reconciled, over the RPCs that every worker uses. */
export function statePasses(stage: Stage, url: string): Backlog {
  const { reconcilers, close } = connect(url);
  stage.onClear(async () => close());
  return async (count) => {
    await createMany(url, count);
    const { sessionId } = await reconcilers.register(registration);
    return async () => {
      await inLanes(count, LANES, async () => {
        const { items } = await reconcilers.lease({ sessionId, maxItems: BATCH, wait: { nanos: 100_000_000 } });
        if (items.length === 0) return 0;
        const reports = items.map(({ resource, leaseToken }) => ({
          ...{ key: resource?.key, leaseToken, result: PassResult.SUCCESS, statusJson: STATUS },
          observedGeneration: resource?.generation ?? 0n,
        }));
        const { results } = await reconcilers.report({ sessionId, reports });
        const refused = results.find(({ outcome }) => outcome !== ReportOutcome.ACCEPTED);
        if (refused !== undefined) throw new Error(`a report was refused: ${refused.message}`);
        return items.length;
      });
      await reconcilers.deregister({ sessionId });
    };
  };
}
