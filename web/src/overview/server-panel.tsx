import { durationMs } from "@bufbuild/protobuf/wkt";
import { useQuery } from "@connectrpc/connect-query";
import {
  DependencyState,
  type DependencyStatus,
  type LogStatus,
  ServerService,
} from "../../../gen/reconcile/v1/server_service_pb.js";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { Badge } from "../elements/badge.js";
import { ErrorNote } from "../elements/error-note.js";
import { Panel } from "../elements/panel.js";

/** The server that answers, what it stands on, and how far its logs reach. */
export function ServerPanel() {
  // The top bar polls it.
  const { data, error } = useQuery(ServerService.method.getServerStatus, {});
  return (
    <div className="columns">
      <Panel title="Server">
        <ErrorNote error={error} doing="ask the server how it does" />
        {data !== undefined && (
          <dl className="facts">
            <dt>Version</dt>
            <dd>
              {data.version}, up for <Age at={data.startedAt} />
            </dd>
            <dt>PostgreSQL</dt>
            <Dependency status={data.postgres} />
            <dt>Redis</dt>
            <Dependency status={data.redis} />
            {data.compatStreams !== undefined && data.compatStreams.state !== DependencyState.DISABLED && (
              <>
                <dt>Streams of existing operators</dt>
                <Dependency status={data.compatStreams} />
              </>
            )}
            <dt>Schema</dt>
            <dd>
              {data.storeSchema === data.programSchema
                ? data.programSchema
                : `the store has ${data.storeSchema}, this program knows ${data.programSchema}`}
            </dd>
            <dt>Store</dt>
            <dd className="mono">{data.storeId || "–"}</dd>
          </dl>
        )}
      </Panel>
      <Panel title="Change logs" scroll={<LogTable logs={data?.logs ?? []} />} />
    </div>
  );
}

function Dependency({ status }: { readonly status: DependencyStatus | undefined }) {
  if (status === undefined) return <dd>–</dd>;
  const { state, message, version, roundTrip } = status;
  if (state === DependencyState.DISABLED) {
    return (
      <dd>
        <Badge tone="calm">not configured</Badge>
      </dd>
    );
  }
  return (
    <dd>
      <Badge tone={state === DependencyState.OK ? "good" : "bad"}>
        {state === DependencyState.OK ? "answers" : "failing"}
      </Badge>{" "}
      {version} {roundTrip !== undefined && <span className="quiet">{durationMs(roundTrip).toFixed(1)} ms</span>}
      {message !== "" && <div className="wrap">{visible(message, true)}</div>}
    </dd>
  );
}

function LogTable({ logs }: { readonly logs: readonly LogStatus[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th>Log</th>
          <th className="number">Last revision</th>
          <th className="number" title="A watch can resume after it">
            Dropped up to
          </th>
        </tr>
      </thead>
      <tbody>
        {logs.map((log) => (
          <tr key={log.logId}>
            <td>{log.logId}</td>
            <td className="number">{log.headRevision.toLocaleString("en")}</td>
            <td className="number">{log.floorRevision.toLocaleString("en")}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
