import { useQuery } from "@connectrpc/connect-query";
import { useEffect } from "react";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { type ClientResource, readResource } from "../../../src/client/client-resource.js";
import { Badge } from "../elements/badge.js";
import { Panel } from "../elements/panel.js";
import { ResourceLink } from "../elements/resource-link.js";
import { ROW_STATES, stateOf } from "../resources/row.js";
import { readyStatusOf } from "./conditions-panel.js";

const POLL_MS = 3_000;
const CHILDREN_SHOWN = 100;

/** What the resource belongs to, and what belongs to it. */
export function FamilyPanel({ resource }: { readonly resource: ClientResource }) {
  const { owner, uid, revision } = resource;
  const { data, refetch } = useQuery(
    ResourceService.method.listResources,
    { filter: { ownerUid: uid }, pageSize: CHILDREN_SHOWN, payloadEncoding: PayloadEncoding.SUMMARY },
    { refetchInterval: POLL_MS },
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: its children change when it does
  useEffect(() => void refetch(), [revision, refetch]);
  const children = data?.resources.map((wire) => readResource(wire)) ?? [];
  if (owner === undefined && children.length === 0) return null;
  return (
    <Panel title="Owner and children">
      <dl className="facts">
        {owner !== undefined && (
          <>
            <dt>Belongs to</dt>
            <dd>
              <ResourceLink resource={{ ...owner, namespace: resource.key.namespace }} />
            </dd>
          </>
        )}
        {children.length > 0 && (
          <>
            <dt>Has</dt>
            <dd>
              {children.map((child) => (
                <div key={child.uid} className="row">
                  <ResourceLink resource={child.key} />
                  <ChildState of={child} />
                </div>
              ))}
              {data?.nextPageToken !== "" && <span className="quiet">and more</span>}
            </dd>
          </>
        )}
      </dl>
    </Panel>
  );
}

function ChildState({ of: child }: { readonly of: ClientResource }) {
  const { text, tone } = ROW_STATES[stateOf(child, readyStatusOf(child.status))];
  return <Badge tone={tone}>{text}</Badge>;
}
