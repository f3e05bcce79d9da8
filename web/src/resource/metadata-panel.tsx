import type { ClientResource } from "../../../src/client/client-resource.js";
import { visible } from "../../../src/resource/visible.js";
import { Age } from "../elements/age.js";
import { Panel } from "../elements/panel.js";

/** Where the resource belongs and what its counters say. */
export function MetadataPanel({ resource }: { readonly resource: ClientResource }) {
  return (
    <Panel title="Metadata">
      <dl className="facts">
        <dt>Group</dt>
        <dd>{visible(resource.key.resourceGroup)}</dd>
        <dt>Shard</dt>
        <dd>{visible(resource.shardId)}</dd>
        <dt>Generation</dt>
        <dd>
          {String(resource.generation)}, observed {String(resource.observedGeneration)}
        </dd>
        <dt>Revision</dt>
        <dd>{String(resource.revision)}</dd>
        <dt>Created</dt>
        <dd>
          <Age at={resource.createdAt} /> ago
        </dd>
        <dt>Changed</dt>
        <dd>
          <Age at={resource.updatedAt} /> ago
        </dd>
        {resource.deletionRequestedAt && (
          <>
            <dt>Deletion requested</dt>
            <dd>
              <Age at={resource.deletionRequestedAt} /> ago
            </dd>
          </>
        )}
        <dt>UID</dt>
        <dd className="mono">{resource.uid}</dd>
        <Texts name="Labels" texts={resource.labels} />
        <Texts name="Annotations" texts={resource.annotations} />
      </dl>
    </Panel>
  );
}

function Texts({ name, texts }: { readonly name: string; readonly texts: ReadonlyMap<string, string> }) {
  if (texts.size === 0) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd className="mono">
        {[...texts].map(([key, value]) => (
          <div key={key}>{visible(`${key}=${value}`, true)}</div>
        ))}
      </dd>
    </>
  );
}
