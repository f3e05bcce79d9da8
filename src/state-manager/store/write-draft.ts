import { keyId, type ResourceKey } from "../../resource/key.js";
import { logOf } from "../../resource/log-of.js";
import type { Resource } from "../../resource/resource.js";
import type { WorkItem } from "../../resource/work.js";
import type { BatchDraft, KeyDraft } from "./batch-draft.js";
import { type Column, columnArrays } from "./columns.js";
import type { BoundStatement, Statement } from "./database.js";
import { keyArrays } from "./read-states.js";
import type { PlacedResource } from "./resource-row.js";
import { ADD_COLLECTIONS, COLLECTION_COLUMNS, WAKE_COLLECTIONS } from "./statements/collections.js";
import {
  CHANGED_ITEM_COLUMNS,
  DELETE_ITEMS_OF_REMOVED,
  DELETE_WORK_ITEMS,
  INSERT_WORK_ITEMS,
  NEW_ITEM_COLUMNS,
  UPDATE_WORK_ITEMS,
} from "./statements/commit-work-items.js";
import { areAlike, type CreatedRow, createdValues, INSERT_CREATED } from "./statements/created.js";
import { EVENT_COLUMNS, INSERT_EVENTS, type StampedChange } from "./statements/events.js";
import { LOCK_ENDING } from "./statements/owners.js";
import { DELETE_RESOURCES, INSERT_RESOURCES, INSERTED_COLUMNS, RESOURCE_UPDATES } from "./statements/resources.js";

/** When and where in the log's partitions a batch is written. */
export interface CommitStamp {
  readonly now: Date;
  readonly bucket: number;
}

/** What writes a draft: state, log and queue, set-based, in this order. Statements without rows are left out. */
export function writesOf(draft: BatchDraft, logCount: number, stamp: CommitStamp): readonly BoundStatement[] {
  const events = draft.changes.map((change) => ({ change, committedAt: stamp.now, bucket: stamp.bucket }));
  const created = onlyCreated(draft, events);
  if (created !== undefined) return [{ statement: INSERT_CREATED, values: createdValues(created) }];
  const rows = new RowsToWrite(logCount);
  for (const key of draft.keys) rows.add(key);
  const writes: BoundStatement[] = [];
  const write = <Row>(statement: Statement, columns: readonly Column<Row>[], of: readonly Row[]) => {
    if (of.length > 0) writes.push({ statement, values: columnArrays(columns, of) });
  };
  // With one log whoever takes an owner waits for its head.
  if (logCount > 1 && draft.endings.length > 0) {
    writes.push({ statement: LOCK_ENDING, values: [draft.endings.map(({ id }) => id)] });
  }
  // Deletions first: a key that was deleted and created again in one batch is free by then.
  if (rows.deletedIds.length > 0) writes.push({ statement: DELETE_RESOURCES, values: [rows.deletedIds] });
  write(INSERT_RESOURCES, INSERTED_COLUMNS, rows.inserted);
  write(INSERT_EVENTS, EVENT_COLUMNS, events);
  // The sweep inserts in the order of keys too.
  write(INSERT_WORK_ITEMS, NEW_ITEM_COLUMNS, rows.newItems.sort(byKey));
  for (const payload of ["everything", "spec", "status"] as const) {
    const { statement, columns } = RESOURCE_UPDATES[payload];
    write(statement, columns, rows.updated[payload]);
  }
  if (rows.removedWithoutItem.length > 0) {
    writes.push({ statement: DELETE_ITEMS_OF_REMOVED, values: keyArrays(rows.removedWithoutItem) });
  }
  if (rows.settled.length > 0) {
    writes.push({ statement: DELETE_WORK_ITEMS, values: keyArrays(rows.settled.map((item) => item.key)) });
  }
  write(UPDATE_WORK_ITEMS, CHANGED_ITEM_COLUMNS, rows.changedItems);
  write(ADD_COLLECTIONS, COLLECTION_COLUMNS, draft.endings);
  if (draft.woken.size > 0) writes.push({ statement: WAKE_COLLECTIONS, values: [[...draft.woken]] });
  return writes;
}

/** The rows of a draft that creates and does nothing else, sorted by key; undefined for any other. */
function onlyCreated(draft: BatchDraft, events: readonly StampedChange[]): readonly CreatedRow[] | undefined {
  const eventOf = new Map(events.map((event) => [event.change.resource, event]));
  const rows: CreatedRow[] = [];
  for (const { before, after } of draft.keys) {
    const { resource, item } = after;
    if (resource === before.resource && item === before.item) continue;
    const event = resource && eventOf.get(resource);
    if (event === undefined || item === undefined || before.resource !== undefined || before.item !== undefined) {
      return undefined;
    }
    rows.push({ placed: { resource: event.change.resource, log: event.change.log }, event, item });
  }
  // More events than rows: a key was written twice.
  if (rows.length !== events.length || !areAlike(rows)) return undefined;
  return rows.sort((a, b) => byKey(a.item, b.item));
}

/** Sorts the keys of a draft by the statement that writes them. */
class RowsToWrite {
  readonly deletedIds: bigint[] = [];
  readonly inserted: PlacedResource[] = [];
  readonly updated: Record<keyof typeof RESOURCE_UPDATES, PlacedResource[]> = { everything: [], spec: [], status: [] };
  readonly settled: WorkItem[] = [];
  readonly removedWithoutItem: ResourceKey[] = [];
  readonly newItems: WorkItem[] = [];
  readonly changedItems: WorkItem[] = [];
  readonly #logCount: number;

  constructor(logCount: number) {
    this.#logCount = logCount;
  }

  add({ before, after }: KeyDraft): void {
    if (before.resource !== after.resource) this.#addResource(before.resource, after.resource);
    if (before.item !== after.item) this.#addItem(before.item, after.item);
    const isRemoved = before.resource !== undefined && after.resource === undefined;
    if (isRemoved && before.item === undefined && after.item === undefined) {
      this.removedWithoutItem.push(before.resource.key);
    }
  }

  #addResource(before: Resource | undefined, after: Resource | undefined): void {
    if (before !== undefined && before.id !== after?.id) this.deletedIds.push(before.id);
    if (after === undefined) return;
    const placed = { resource: after, log: logOf(after.shardId, this.#logCount) };
    if (before?.id === after.id) this.updated[changedPayload(before, after)].push(placed);
    else this.inserted.push(placed);
  }

  #addItem(before: WorkItem | undefined, after: WorkItem | undefined): void {
    if (after === undefined) {
      if (before !== undefined) this.settled.push(before);
    } else if (before === undefined) this.newItems.push(after);
    else this.changedItems.push(after);
  }
}

function byKey(a: WorkItem, b: WorkItem): number {
  return keyId(a.key) < keyId(b.key) ? -1 : 1;
}

function changedPayload(before: Resource, after: Resource): keyof typeof RESOURCE_UPDATES {
  if (before.specJson === after.specJson) return "status";
  return before.statusJson === after.statusJson ? "spec" : "everything";
}
