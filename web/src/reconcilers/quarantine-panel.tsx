import { useQuery } from "@connectrpc/connect-query";
import { ReconcilerService, type WorkItem, WorkState } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { ErrorNote } from "../elements/error-note.js";
import { Panel } from "../elements/panel.js";
import { ResourceLink } from "../elements/resource-link.js";
import { ReleaseButton } from "./release-button.js";

const POLL_MS = 5_000;
const ITEMS_SHOWN = 200;

/** The resources that workers died over, each with a button that gives it another chance. */
export function QuarantinePanel() {
  const { data, error } = useQuery(
    ReconcilerService.method.listWork,
    { state: WorkState.QUARANTINED, pageSize: ITEMS_SHOWN },
    { refetchInterval: POLL_MS },
  );
  const items = data?.items ?? [];
  if (items.length === 0) {
    return (
      <Panel title="Quarantine">
        <ErrorNote error={error} doing="list the quarantined resources" />
        {data !== undefined && (
          <p className="quiet">Empty. A resource gets here when workers die over it again and again.</p>
        )}
      </Panel>
    );
  }
  const table = (
    <table>
      <thead>
        <tr>
          <th>Resource</th>
          <th className="number">Since</th>
          <th className="number">Strikes</th>
          <th className="number">Next try</th>
          <th>Last error</th>
          <th>
            <span className="for-readers">Release</span>
          </th>
        </tr>
      </thead>
      <tbody>{items.map((item) => item.key && <QuarantineRow key={JSON.stringify(item.key)} item={item} />)}</tbody>
    </table>
  );
  const more = data?.nextPageToken !== "" && <span className="quiet">the first {ITEMS_SHOWN} of more</span>;
  return <Panel title="Quarantine" aside={more} scroll={table} />;
}

function QuarantineRow({ item }: { readonly item: WorkItem }) {
  return (
    <tr>
      <td>
        <ResourceLink resource={item.key} />
      </td>
      <td className="number">
        <Age at={item.quarantinedAt} />
      </td>
      <td className="number">{item.strikes}</td>
      <td className="number">
        <Age at={item.dueAt} />
      </td>
      <td className="wrap">{visible(item.lastError || item.progress, true)}</td>
      <td>{item.key && <ReleaseButton of={item.key} />}</td>
    </tr>
  );
}
