import { keyId } from "../../resource/key.js";
import { logOf } from "../../resource/log-of.js";
import type { Resource } from "../../resource/resource.js";
import type { WorkItem } from "../../resource/work.js";
import type { BatchDraft, KeyDraft } from "./batch-draft.js";
import { type Column, columnArrays, joinStatements } from "./columns.js";
import type { Connection, Statement } from "./database.js";
import { keyArrays } from "./read-states.js";
import type { PlacedResource } from "./resource-row.js";
import {
  CHANGED_ITEM_COLUMNS,
  DELETE_WORK_ITEMS,
  INSERT_WORK_ITEMS,
  NEW_ITEM_COLUMNS,
  UPDATE_WORK_ITEMS,
} from "./statements/commit-work-items.js";
import { EVENT_COLUMNS, INSERT_EVENTS } from "./statements/events.js";
import { DELETE_RESOURCES, INSERT_RESOURCES, INSERTED_COLUMNS, RESOURCE_UPDATES } from "./statements/resources.js";

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
  const committedAt = stamp.now.toISOString();
  const events = draft.changes.map((change) => ({ change, committedAt, bucket: stamp.bucket }));
  const write = async <Row>(statement: Statement, columns: readonly Column<Row>[], of: readonly Row[]) => {
    if (of.length > 0) await connection.query(statement, columnArrays(columns, of));
  };
  // Deletions first: a key that was deleted and created again in one batch is free by then.
  if (rows.deletedIds.length > 0) await connection.query(DELETE_RESOURCES, [rows.deletedIds]);
  // The sweep inserts in the order of keys too.
  rows.newItems.sort(byKey);
  const isAllNew = rows.inserted.length > 0 && rows.newItems.length > 0;
  if (isAllNew) {
    await connection.query(INSERT_CREATED, [
      ...columnArrays(INSERTED_COLUMNS, rows.inserted),
      ...columnArrays(EVENT_COLUMNS, events),
      ...columnArrays(NEW_ITEM_COLUMNS, rows.newItems),
    ]);
  } else {
    await write(INSERT_RESOURCES, INSERTED_COLUMNS, rows.inserted);
    await write(INSERT_EVENTS, EVENT_COLUMNS, events);
    await write(INSERT_WORK_ITEMS, NEW_ITEM_COLUMNS, rows.newItems);
  }
  for (const payload of ["everything", "spec", "status"] as const) {
    const { statement, columns } = RESOURCE_UPDATES[payload];
    await write(statement, columns, rows.updated[payload]);
  }
  if (rows.settled.length > 0) {
    await connection.query(DELETE_WORK_ITEMS, keyArrays(rows.settled.map((item) => item.key)));
  }
  await write(UPDATE_WORK_ITEMS, CHANGED_ITEM_COLUMNS, rows.changedItems);
}

/** What a batch of new resources writes, the hottest path of all: three round trips in one. */
const INSERT_CREATED = joinStatements("insert-created", [
  { text: INSERT_RESOURCES.text, parameters: INSERTED_COLUMNS.length },
  { text: INSERT_EVENTS.text, parameters: EVENT_COLUMNS.length },
  { text: INSERT_WORK_ITEMS.text, parameters: NEW_ITEM_COLUMNS.length },
]);

/** Sorts the keys of a draft by the statement that writes them. */
class RowsToWrite {
  readonly deletedIds: bigint[] = [];
  readonly inserted: PlacedResource[] = [];
  readonly updated: Record<keyof typeof RESOURCE_UPDATES, PlacedResource[]> = { everything: [], spec: [], status: [] };
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
