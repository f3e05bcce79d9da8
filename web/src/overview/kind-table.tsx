import { Link } from "wouter";
import type { KindSummary } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { Badge } from "../elements/badge.js";
import { Panel } from "../elements/panel.js";
import { pathOfResources } from "../shell/pages.js";

/** What there is of each kind, and how it does. */
export function KindTable({ kinds }: { readonly kinds: readonly KindSummary[] | undefined }) {
  if (kinds?.length === 0) {
    return (
      <Panel title="Kinds">
        <p>
          There are no resources and no reconcilers yet. <Link href="/create">Create the first resource</Link>.
        </p>
      </Panel>
    );
  }
  const table = (
    <table>
      <thead>
        <tr>
          <th>Kind</th>
          <th className="number">Resources</th>
          <th className="number">Pending</th>
          <th className="number">Not ready</th>
          <th className="number">Failing</th>
          <th className="number">Quarantined</th>
          <th className="number">Due</th>
          <th className="number">Held</th>
          <th className="number">Oldest wait</th>
          <th>Reconciler</th>
        </tr>
      </thead>
      <tbody>
        {kinds?.map((kind) => (
          <KindRow key={`${kind.resourceGroup}/${kind.kind}`} summary={kind} />
        ))}
      </tbody>
    </table>
  );
  return <Panel title="Kinds" scroll={table} />;
}

function KindRow({ summary }: { readonly summary: KindSummary }) {
  const filters = { group: summary.resourceGroup, kind: summary.kind };
  return (
    <tr>
      <td>
        <Link href={pathOfResources(filters)}>{visible(summary.kind)}</Link>{" "}
        <span className="quiet">{visible(summary.resourceGroup)}</span>
      </td>
      <td className="number">{summary.resources.toLocaleString("en")}</td>
      <Count of={summary.pending} href={pathOfResources({ ...filters, state: "pending" })} />
      <Count of={summary.notReady} href={pathOfResources({ ...filters, state: "not-ready" })} />
      <Count of={summary.failing} />
      <Count of={summary.quarantined} href="/reconcilers" />
      <Count of={summary.due} />
      <Count of={summary.leased} />
      <td className="number">
        <Age at={summary.oldestDueAt} />
      </td>
      <td>
        {summary.reconciler === "" ? (
          <Badge tone={summary.resources > 0n ? "warn" : "calm"}>none</Badge>
        ) : (
          <>
            {visible(summary.reconciler)} <span className="quiet">× {summary.sessions}</span>
          </>
        )}
      </td>
    </tr>
  );
}

/** Zeros step back, so that the others are seen. */
function Count({ of: count, href }: { readonly of: bigint; readonly href?: string }) {
  if (count === 0n) return <td className="number quiet">0</td>;
  const text = count.toLocaleString("en");
  return <td className="number">{href === undefined ? text : <Link href={href}>{text}</Link>}</td>;
}
