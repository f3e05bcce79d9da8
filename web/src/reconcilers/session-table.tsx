import { useEffect, useState } from "react";
import { Link } from "wouter";
import type { ClientSession } from "../../../src/client/client-work.js";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { Panel } from "../elements/panel.js";
import { LoadSeries, type SessionRate } from "../overview/load-series.js";
import { pathOfResources } from "../shell/pages.js";

const load = new LoadSeries();

/** The live sessions. `readAt`: when they were read, in milliseconds since 1970. */
export function SessionTable({
  sessions,
  readAt,
}: {
  readonly sessions: readonly ClientSession[];
  readonly readAt: number;
}) {
  const [rates, setRates] = useState<ReadonlyMap<string, SessionRate>>(new Map());
  // biome-ignore lint/correctness/useExhaustiveDependencies: one sample for each reading
  useEffect(() => setRates(load.add(readAt, sessions).sessions), [readAt]);
  const table = (
    <table>
      <thead>
        <tr>
          <th>Reconciler</th>
          <th>Instance</th>
          <th>Language</th>
          <th>Kinds</th>
          <th className="number">Leases</th>
          <th className="number">Passes/s</th>
          <th className="number">Errors/s</th>
          <th className="number">Passes</th>
          <th className="number">Failed</th>
          <th className="number">Connected</th>
          <th className="number">Last seen</th>
        </tr>
      </thead>
      <tbody>
        {sessions.map((session) => (
          <SessionRow key={session.sessionId} session={session} rate={rates.get(session.sessionId)} />
        ))}
      </tbody>
    </table>
  );
  return <Panel title="Sessions" scroll={table} />;
}

function SessionRow({ session, rate }: { readonly session: ClientSession; readonly rate: SessionRate | undefined }) {
  return (
    <tr>
      <td>{visible(session.name)}</td>
      <td className="mono" title={visible(session.instanceId)}>
        {visible(session.instanceId)}
      </td>
      <td>{visible(session.language)}</td>
      <td>
        {session.kinds.map(({ resourceGroup, kind }) => (
          <div key={`${resourceGroup}/${kind}`}>
            <Link href={pathOfResources({ group: resourceGroup, kind })}>{visible(kind)}</Link>
          </div>
        ))}
        {session.shardIds.length > 0 && <div className="quiet">only in {visible(session.shardIds.join(", "))}</div>}
      </td>
      <td className="number">
        {session.leases} <span className="quiet">of {session.concurrency}</span>
      </td>
      <td className="number">{formatRate(rate?.passesPerSecond)}</td>
      <td className="number">{formatRate(rate?.errorsPerSecond)}</td>
      <td className="number">{session.passes.toLocaleString("en")}</td>
      <td className="number">{session.failedPasses.toLocaleString("en")}</td>
      <td className="number">
        <Age at={session.registeredAt} />
      </td>
      <td className="number">
        <Age at={session.lastSeenAt} />
      </td>
    </tr>
  );
}

function formatRate(rate: number | null | undefined): string {
  return rate === null || rate === undefined ? "–" : rate.toLocaleString("en", { maximumFractionDigits: 1 });
}
