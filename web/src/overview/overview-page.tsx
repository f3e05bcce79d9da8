import { useQuery } from "@connectrpc/connect-query";
import { ReconcilerService } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { readSession } from "../../../src/client/client-work.js";
import { ErrorNote } from "../elements/error-note.js";
import { usePageTitle } from "../shell/use-page-title.js";
import { Charts } from "./charts.js";
import { KindTable } from "./kind-table.js";
import { ServerPanel } from "./server-panel.js";
import { Totals } from "./totals.js";

/** How often the numbers are read, in milliseconds; the server counts anew only as often as it can afford. */
const POLL_MS = 2_000;

/** How the whole does, on one screen. */
export function OverviewPage() {
  usePageTitle("Overview");
  const polled = { refetchInterval: POLL_MS };
  const kinds = useQuery(ResourceService.method.listKinds, {}, polled);
  const reconcilers = useQuery(ReconcilerService.method.listReconcilers, {}, polled);
  return (
    <>
      <h1 className="for-readers">Overview</h1>
      <ErrorNote error={kinds.error} doing="count the kinds" />
      <Totals kinds={kinds.data?.kinds} />
      <Charts
        kinds={kinds.data?.kinds}
        sessions={reconcilers.data?.sessions.map(readSession)}
        readAt={reconcilers.dataUpdatedAt}
      />
      <KindTable kinds={kinds.data?.kinds} />
      <ServerPanel />
    </>
  );
}
