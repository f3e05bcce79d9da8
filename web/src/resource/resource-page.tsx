import { useState } from "react";
import { Link } from "wouter";
import type { ClientResource } from "../../../src/client/client-resource.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { visible } from "../../../src/resource/visible.js";
import { client } from "../api/server.js";
import { Badge } from "../elements/badge.js";
import { ErrorNote } from "../elements/error-note.js";
import { ROW_STATES, stateOf } from "../resources/row.js";
import { pathOf, pathOfResources, readKey } from "../shell/pages.js";
import { useAddressQuery } from "../shell/use-address-query.js";
import { usePageTitle } from "../shell/use-page-title.js";
import { ConditionsPanel, readyStatusOf } from "./conditions-panel.js";
import { DeleteDialog } from "./delete-dialog.js";
import { FamilyPanel } from "./family-panel.js";
import { FinalizersPanel } from "./finalizers-panel.js";
import { MetadataPanel } from "./metadata-panel.js";
import { PayloadPanel } from "./payload-panel.js";
import { Timeline } from "./timeline.js";
import { useResource } from "./use-resource.js";
import { useWork, WorkPanel } from "./work-panel.js";

/** Everything there is to know of one resource, live. */
export default function ResourcePage() {
  const key = readKey(useAddressQuery());
  return <WatchedResource key={JSON.stringify(key)} of={key} />;
}

function WatchedResource({ of: key }: { readonly of: ResourceKey }) {
  usePageTitle(`${key.kind} ${key.namespace}/${key.name}`);
  const { resource, exists, error } = useResource(key);
  const work = useWork(key, exists === true, resource?.revision);
  return (
    <>
      <Heading of={key} resource={resource} exists={exists} />
      <ErrorNote error={error} doing="watch the resource" />
      {exists === false && (
        <div role="status" className="note warn">
          {resource === undefined ? "There is no such resource." : "It is gone. What you see is its last state."}{" "}
          <Link href={pathOf(key, "create")}>Create one with this name</Link>
        </div>
      )}
      {resource !== undefined && (
        <>
          <ConditionsPanel status={resource.status} />
          <div className="columns">
            <PayloadPanel title="Spec" json={resource.specJson} />
            <PayloadPanel title="Status" json={resource.statusJson} />
          </div>
          <div className="columns">
            <div className="stack">
              {exists && <WorkPanel of={key} work={work} />}
              {exists && <FinalizersPanel resource={resource} holds={work?.finalizers ?? []} />}
              <FamilyPanel resource={resource} />
            </div>
            <MetadataPanel resource={resource} />
          </div>
        </>
      )}
      <Timeline of={key} revision={resource?.revision} />
    </>
  );
}

function Heading(props: {
  readonly of: ResourceKey;
  readonly resource: ClientResource | undefined;
  readonly exists: boolean | undefined;
}) {
  const { of: key, resource, exists } = props;
  const [isDeleting, setDeleting] = useState(false);
  const [error, setError] = useState<unknown>();
  const requestPass = () => client.enqueue(key, "asked for in the dashboard").then(() => setError(undefined), setError);
  return (
    <>
      <div className="row">
        <h1>
          <Link href={pathOfResources({ group: key.resourceGroup, kind: key.kind })}>{visible(key.kind)}</Link>{" "}
          <span className="quiet">{visible(key.namespace)}/</span>
          {visible(key.name)}
        </h1>
        {resource !== undefined && <StateBadge resource={resource} exists={exists} />}
        {exists && (
          <>
            <button type="button" className="push" onClick={requestPass} title="Makes it due now">
              Reconcile now
            </button>
            <Link className="button" href={pathOf(key, "edit")}>
              Edit…
            </Link>
            <button type="button" className="danger" onClick={() => setDeleting(true)}>
              Delete…
            </button>
          </>
        )}
      </div>
      <ErrorNote error={error} doing="ask for a pass" />
      {isDeleting && resource !== undefined && <DeleteDialog resource={resource} onClose={() => setDeleting(false)} />}
    </>
  );
}

function StateBadge({ resource, exists }: { readonly resource: ClientResource; readonly exists: boolean | undefined }) {
  if (exists === false) return <Badge tone="warn">Gone</Badge>;
  const { text, tone } = ROW_STATES[stateOf(resource, readyStatusOf(resource.status))];
  return <Badge tone={tone}>{text}</Badge>;
}
