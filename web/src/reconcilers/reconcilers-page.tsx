import { useQuery } from "@connectrpc/connect-query";
import { ReconcilerService } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { readSession } from "../../../src/client/client-work.js";
import { ErrorNote } from "../elements/error-note.js";
import { Panel } from "../elements/panel.js";
import { usePageTitle } from "../shell/use-page-title.js";
import { QuarantinePanel } from "./quarantine-panel.js";
import { SessionTable } from "./session-table.js";

const POLL_MS = 2_000;

/** Who does the work, and what nobody dares to touch. */
export function ReconcilersPage() {
  usePageTitle("Reconcilers");
  const { data, error, dataUpdatedAt } = useQuery(
    ReconcilerService.method.listReconcilers,
    {},
    { refetchInterval: POLL_MS },
  );
  return (
    <>
      <h1>Reconcilers</h1>
      <ErrorNote error={error} doing="list the reconcilers" />
      {data?.sessions.length === 0 ? (
        <Panel title="Sessions">
          <p>No reconciler is connected. Until one is, nothing that was declared is made real.</p>
        </Panel>
      ) : (
        <SessionTable sessions={data?.sessions.map(readSession) ?? []} readAt={dataUpdatedAt} />
      )}
      <QuarantinePanel />
    </>
  );
}
