import { useQuery } from "@connectrpc/connect-query";
import { useEffect } from "react";
import { ReconcilerService } from "../../../gen/reconcile/v1/reconciler_service_pb.js";
import { type ClientWork, readWork } from "../../../src/client/client-work.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { Badge } from "../elements/badge.js";
import { Panel } from "../elements/panel.js";
import type { Tone } from "../elements/tone.js";
import { ReleaseButton } from "../reconcilers/release-button.js";
import { sayReason } from "./say-reason.js";

const POLL_MS = 2_000;

/** What the queue has for a resource; read again when the resource changed (`revision`), and now and then. */
export function useWork(key: ResourceKey, exists: boolean, revision: bigint | undefined): ClientWork | undefined {
  const { data, refetch } = useQuery(
    ReconcilerService.method.getWork,
    { key },
    { enabled: exists, refetchInterval: POLL_MS },
  );
  useEffect(() => {
    if (exists && revision !== undefined) void refetch();
  }, [exists, revision, refetch]);
  return exists && data !== undefined ? readWork(data) : undefined;
}

const STATES: Readonly<Record<ClientWork["state"], { readonly text: string; readonly tone: Tone }>> = {
  UNSPECIFIED: { text: "Unknown to this page", tone: "calm" },
  SETTLED: { text: "Nothing to do", tone: "good" },
  WAITING: { text: "Waits", tone: "calm" },
  DUE: { text: "Due", tone: "warn" },
  LEASED: { text: "In a worker's hands", tone: "calm" },
  QUARANTINED: { text: "Quarantined", tone: "bad" },
};

/** Why the resource waits, who works on it, and how that went so far. */
export function WorkPanel({ of: key, work }: { readonly of: ResourceKey; readonly work: ClientWork | undefined }) {
  if (work === undefined) return <Panel title="Work" />;
  const { state, item, holder, reconciler } = work;
  return (
    <Panel title="Work" aside={<Badge tone={STATES[state].tone}>{STATES[state].text}</Badge>}>
      <dl className="facts">
        <dt>Reconciler</dt>
        <dd>{visible(reconciler) || "none is there for this kind: nothing will happen until one registers"}</dd>
        {holder !== undefined && (
          <>
            <dt>Held by</dt>
            <dd>
              {visible(`${holder.name} ${holder.instanceId}`)}
              {item?.leasedAt && (
                <>
                  {" "}
                  for <Age at={item.leasedAt} />
                </>
              )}
            </dd>
          </>
        )}
        {item !== undefined && (
          <>
            <dt>Reason</dt>
            <dd>
              {sayReason(item.reason)}
              {item.message !== "" && item.message !== item.lastError && `: ${visible(item.message, true)}`}
            </dd>
            {item.dueAt !== undefined && (
              <>
                <dt>Due</dt>
                <dd>
                  {item.dueAt < new Date() && "for "}
                  <Age at={item.dueAt} />
                </dd>
              </>
            )}
            {item.pendingSince !== undefined && (
              <>
                <dt>Pending for</dt>
                <dd>
                  <Age at={item.pendingSince} />
                </dd>
              </>
            )}
            {item.progress !== "" && (
              <>
                <dt>Progress</dt>
                <dd className="wrap">{visible(item.progress, true)}</dd>
              </>
            )}
            {item.failures > 0 && (
              <>
                <dt>Failed passes</dt>
                <dd>{item.failures} since the last success</dd>
              </>
            )}
            {item.strikes > 0 && (
              <>
                <dt>Strikes</dt>
                <dd>{item.strikes} workers in a row died holding it</dd>
              </>
            )}
          </>
        )}
      </dl>
      {item !== undefined && item.lastError !== "" && (
        <p className="note bad wrap mono">{visible(item.lastError, true)}</p>
      )}
      {state === "QUARANTINED" && <ReleaseButton of={key} />}
    </Panel>
  );
}
