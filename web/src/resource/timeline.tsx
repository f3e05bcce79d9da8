import { useInfiniteQuery } from "@connectrpc/connect-query";
import { useEffect } from "react";
import { PayloadEncoding } from "../../../gen/reconcile/v1/resource_pb.js";
import { ResourceService } from "../../../gen/reconcile/v1/resource_service_pb.js";
import { type ClientHistoryEntry, readHistoryEntry } from "../../../src/client/client-history.js";
import { type FieldChange, fieldChanges } from "../../../src/manifest/changes.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { Age } from "../elements/age.js";
import { Badge } from "../elements/badge.js";
import { ErrorNote } from "../elements/error-note.js";
import { Panel } from "../elements/panel.js";
import type { Tone } from "../elements/tone.js";
import "./timeline.css";
import { visible } from "../../../src/resource/visible.js";

const PAGE_SIZE = 20;

/** What the log has kept of the key, newest first, and what each change changed. Read again at each new `revision`. */
export function Timeline({ of: key, revision }: { readonly of: ResourceKey; readonly revision: bigint | undefined }) {
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(
    ResourceService.method.getHistory,
    { key, pageSize: PAGE_SIZE, pageToken: "", payloadEncoding: PayloadEncoding.JSON },
    { pageParamKey: "pageToken", getNextPageParam: ({ nextPageToken }) => nextPageToken || undefined },
  );
  useEffect(() => {
    if (revision !== undefined) void refetch();
  }, [revision, refetch]);
  const entries = data?.pages.flatMap((page) => page.entries.map((entry) => readHistoryEntry(entry))) ?? [];
  return (
    <Panel title="Timeline">
      <ErrorNote error={error} doing="read its history" />
      {data !== undefined && entries.length === 0 && <p className="quiet">The log has nothing of it any more.</p>}
      <ol className="timeline">
        {entries.map((entry, at) => (
          <Entry
            key={`${entry.revision} ${entry.type}`}
            entry={entry}
            before={entries[at + 1]}
            isCut={hasNextPage && at === entries.length - 1}
          />
        ))}
      </ol>
      {hasNextPage && (
        <button type="button" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Older changes
        </button>
      )}
    </Panel>
  );
}

const TYPES: Readonly<Record<ClientHistoryEntry["type"], { readonly text: string; readonly tone: Tone }>> = {
  ADDED: { text: "created", tone: "good" },
  MODIFIED: { text: "changed", tone: "calm" },
  DELETED: { text: "removed", tone: "warn" },
  SYNCED: { text: "", tone: "calm" },
  BOOKMARK: { text: "", tone: "calm" },
  UNSPECIFIED: { text: "", tone: "calm" },
};

function Entry(props: {
  readonly entry: ClientHistoryEntry;
  /** The one before it in time; undefined for the oldest that is kept. */
  readonly before: ClientHistoryEntry | undefined;
  /** Whether the one before it has not been read yet. */
  readonly isCut: boolean;
}) {
  const { entry, before, isCut } = props;
  const { text, tone } = TYPES[entry.type];
  const isComparable = before !== undefined && before.resource.uid === entry.resource.uid;
  return (
    <li>
      <div className="row">
        <Badge tone={tone}>{text}</Badge>
        <span>
          <Age at={entry.committedAt} /> ago
        </span>
        <span className="quiet">
          revision {String(entry.revision)}, generation {String(entry.resource.generation)}
        </span>
      </div>
      {isComparable && <Changes changes={fieldChanges(before.resource, entry.resource)} />}
      {!isComparable && !isCut && entry.type === "MODIFIED" && <p className="quiet">What was before is not kept.</p>}
    </li>
  );
}

const CHANGES_SHOWN = 40;
const VALUE_MAX_CHARACTERS = 400;

function Changes({ changes }: { readonly changes: readonly FieldChange[] }) {
  return (
    <table className="changes">
      <tbody>
        {changes.slice(0, CHANGES_SHOWN).map(({ path, before, after }) => (
          <tr key={path}>
            <th scope="row">{visible(path)}</th>
            <td>
              {before !== undefined && <del>{visible(short(before), true)}</del>}{" "}
              {after !== undefined && <ins>{visible(short(after), true)}</ins>}
            </td>
          </tr>
        ))}
      </tbody>
      {changes.length > CHANGES_SHOWN && <caption>and {changes.length - CHANGES_SHOWN} more fields</caption>}
    </table>
  );
}

function short(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length <= VALUE_MAX_CHARACTERS ? text : `${text.slice(0, VALUE_MAX_CHARACTERS)}…`;
}
