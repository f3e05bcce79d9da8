import type { Change } from "../../resource/change.js";
import { logOf } from "../../resource/log-of.js";
import type { Resource } from "../../resource/resource.js";
import type { WorkItem } from "../../resource/work.js";
import { encodeMeta } from "../log/change-codec.js";
import type { BatchDraft, KeyDraft } from "./batch-draft.js";
import type { Connection, Statement } from "./database.js";
import { keyArrays } from "./read-states.js";
import { resourceToJson, type WrittenParts } from "./resource-row.js";
import { DELETE_WORK_ITEMS, INSERT_WORK_ITEMS, UPDATE_WORK_ITEMS } from "./statements/commit-work-items.js";
import { INSERT_EVENTS } from "./statements/events.js";
import {
  DELETE_RESOURCES,
  INSERT_RESOURCES,
  UPDATE_RESOURCES,
  UPDATE_RESOURCES_DESIRED,
  UPDATE_RESOURCES_STATUS,
} from "./statements/resources.js";

/** When and where in the log's partitions a batch is written. */
export interface CommitStamp {
  readonly now: Date;
  readonly bucket: number;
}

/** Writes a draft: state, log and queue, set-based. Statements without rows are left out. */
export async function writeDraft(
  connection: Connection,
  draft: BatchDraft,
  logCount: number,
  stamp: CommitStamp,
): Promise<void> {
  const rows = new RowsToWrite(logCount);
  for (const key of draft.keys) rows.add(key);
  const writes: [Statement, readonly unknown[]][] = [];
  const addJson = (statement: Statement, json: readonly string[]) => {
    if (json.length > 0) writes.push([statement, [`[${json.join(",")}]`]]);
  };
  // Deletions first: a key that was deleted and created again in one batch is free by then.
  if (rows.deletedIds.length > 0) writes.push([DELETE_RESOURCES, [rows.deletedIds]]);
  addJson(INSERT_RESOURCES, rows.inserted);
  addJson(UPDATE_RESOURCES, rows.updated.everything);
  addJson(UPDATE_RESOURCES_DESIRED, rows.updated.desired);
  addJson(UPDATE_RESOURCES_STATUS, rows.updated.status);
  addJson(
    INSERT_EVENTS,
    draft.changes.map((change) => eventToJson(change, stamp)),
  );
  if (rows.settled.length > 0) writes.push([DELETE_WORK_ITEMS, keyArrays(rows.settled.map((item) => item.key))]);
  addJson(INSERT_WORK_ITEMS, rows.newItems.map(itemToJson));
  addJson(UPDATE_WORK_ITEMS, rows.changedItems.map(itemToJson));
  for (const [statement, values] of writes) await connection.query(statement, values);
}

/** Sorts the keys of a draft by the statement that writes them. */
class RowsToWrite {
  readonly deletedIds: bigint[] = [];
  readonly inserted: string[] = [];
  readonly updated: Record<WrittenParts, string[]> = { everything: [], desired: [], status: [] };
  readonly settled: WorkItem[] = [];
  readonly newItems: WorkItem[] = [];
  readonly changedItems: WorkItem[] = [];
  readonly #logCount: number;

  constructor(logCount: number) {
    this.#logCount = logCount;
  }

  add({ before, after }: KeyDraft): void {
    if (before.resource !== after.resource) this.#addResource(before.resource, after.resource);
    if (before.item !== after.item) this.#addItem(before.item, after.item);
  }

  #addResource(before: Resource | undefined, after: Resource | undefined): void {
    if (before !== undefined && before.id !== after?.id) this.deletedIds.push(before.id);
    if (after === undefined) return;
    const log = logOf(after.shardId, this.#logCount);
    if (before?.id !== after.id) {
      this.inserted.push(resourceToJson(after, log, "everything"));
      return;
    }
    const parts = writtenParts(before, after);
    this.updated[parts].push(resourceToJson(after, log, parts));
  }

  #addItem(before: WorkItem | undefined, after: WorkItem | undefined): void {
    if (after === undefined) {
      if (before !== undefined) this.settled.push(before);
    } else if (before === undefined) this.newItems.push(after);
    else this.changedItems.push(after);
  }
}

function writtenParts(before: Resource, after: Resource): WrittenParts {
  if (before.specJson === after.specJson) return "status";
  return before.statusJson === after.statusJson ? "desired" : "everything";
}

function eventToJson(change: Change, stamp: CommitStamp): string {
  const { key, specJson, statusJson } = change.resource;
  const head = JSON.stringify({
    log_id: change.log,
    revision: String(change.revision),
    bucket: stamp.bucket,
    fingerprint: String(change.fingerprint),
    previous_fingerprint: String(change.previousFingerprint),
    committed_at: stamp.now,
    type: change.type,
    resource_group: key.resourceGroup,
    kind: key.kind,
    namespace: key.namespace,
    name: key.name,
  });
  return `${head.slice(0, -1)},"meta":${encodeMeta(change)},"spec":${specJson ?? "null"},"status":${statusJson ?? "null"}}`;
}

function itemToJson(item: WorkItem): string {
  const { key, ...rest } = item;
  return JSON.stringify({
    resource_group: key.resourceGroup,
    kind: key.kind,
    namespace: key.namespace,
    name: key.name,
    resource_id: rest.resourceId === null ? null : String(rest.resourceId),
    shard_id: rest.shardId,
    wanted: String(rest.wanted),
    due_at: rest.dueAt,
    priority: rest.priority,
    reason: rest.reason,
    message: rest.message,
    failures: rest.failures,
    last_error: rest.lastError,
    is_pending: rest.isPending,
    keeps_lease: rest.lease !== null,
  });
}
