import type { KeyState } from "../../resource/decide.js";
import { keyId, type ResourceKey } from "../../resource/key.js";
import type { Resource } from "../../resource/resource.js";
import type { Priority, PriorityShift, WorkItem, WorkReason } from "../../resource/work.js";
import { arrayParameter } from "./array-parameter.js";
import type { BoundStatement, Connection } from "./database.js";
import { type ResourceRow, resourceFromRow } from "./resource-row.js";
import { LOCK_WORK_ITEMS } from "./statements/commit-work-items.js";
import { READ_RESOURCES_BY_KEY } from "./statements/resources.js";

/** A row of `work_items`. */
export interface WorkItemRow {
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly resource_id: bigint | null;
  readonly shard_id: string;
  readonly wanted: bigint;
  readonly due_at: Date | null;
  readonly priority: Priority;
  readonly priority_shift: PriorityShift;
  readonly reason: WorkReason;
  readonly message: string;
  readonly failures: number;
  readonly last_error: string;
  readonly is_pending: boolean;
  readonly pending_since: Date | null;
  readonly deaths: number;
  readonly strikes: number;
  readonly quarantined_at: Date | null;
  readonly is_quarantine_shown: boolean;
  readonly progress: string;
  readonly has_checkpoint: boolean;
  readonly lease_token: string | null;
  readonly lease_session_id: string;
  readonly lease_resource_id: bigint;
  readonly lease_wanted: bigint;
  readonly leased_at: Date;
  readonly lease_deadline: Date;
}

/** The item a row holds. */
export function workItemFromRow(row: WorkItemRow): WorkItem {
  return {
    key: { resourceGroup: row.resource_group, kind: row.kind, namespace: row.namespace, name: row.name },
    resourceId: row.resource_id,
    shardId: row.shard_id,
    wanted: row.wanted,
    dueAt: row.due_at,
    priority: row.priority,
    priorityShift: row.priority_shift,
    reason: row.reason,
    message: row.message,
    failures: row.failures,
    lastError: row.last_error,
    isPending: row.is_pending,
    pendingSince: row.pending_since,
    deaths: row.deaths,
    strikes: row.strikes,
    quarantinedAt: row.quarantined_at,
    isQuarantineShown: row.is_quarantine_shown,
    progress: row.progress,
    hasCheckpoint: row.has_checkpoint,
    // The columns of a lease are null together: constraint work_items_lease_is_whole.
    lease:
      row.lease_token === null
        ? null
        : {
            token: row.lease_token,
            sessionId: row.lease_session_id,
            resourceId: row.lease_resource_id,
            wanted: row.lease_wanted,
            leasedAt: row.leased_at,
            deadline: row.lease_deadline,
          },
  };
}

/** Keys as the parallel arrays that statements unnest, sorted: the lock order. */
export function keyArrays(keys: Iterable<ResourceKey>): unknown[] {
  const sorted = [...keys].sort((a, b) => (keyId(a) < keyId(b) ? -1 : 1));
  return [
    sorted.map((key) => key.resourceGroup),
    sorted.map((key) => key.kind),
    sorted.map((key) => key.namespace),
    sorted.map((key) => key.name),
  ].map((parts) => arrayParameter("text", parts));
}

/**
 * Reads resources and locks work items of `keys`, behind the statements `before`, which lock the heads; resolves with what those
 * answered, too. The items of keys in `created` are left out while there is no resource: a lease of an earlier life survives the
 * insert of the new item. Without such keys it is one round trip; with them the items are locked all in one statement
 * nevertheless, or their order would not be kept.
 *
 * The items of stored owners, and of the `owners` wished for, are locked along: what changes a child makes its owner due.
 */
export async function readStates(
  connection: Connection,
  keys: ReadonlyMap<string, ResourceKey>,
  created: ReadonlySet<string>,
  owners: ReadonlyMap<string, ResourceKey>,
  before: readonly BoundStatement[],
): Promise<readonly [before: readonly unknown[][], states: Map<string, KeyState>]> {
  const read = { statement: READ_RESOURCES_BY_KEY, values: keyArrays(keys.values()) };
  const lock = created.size === 0 ? lockItems([...keys.values()], owners) : [];
  const answers = await connection.queryAll([...before, read, ...lock]);
  const resources = ((answers[before.length] ?? []) as ResourceRow[]).map(resourceFromRow);
  const locked =
    created.size === 0
      ? answers.slice(before.length + 1)
      : await connection.queryAll(lockItems(withItems(keys, created, resources), owners));
  const states = new Map<string, KeyState>();
  for (const resource of resources) {
    states.set(keyId(resource.key), { resource, item: undefined, isSessionLive: false });
  }
  for (const row of locked.flat() as LockedItemRow[]) {
    const item = workItemFromRow(row);
    const id = keyId(item.key);
    states.set(id, { resource: states.get(id)?.resource, item, isSessionLive: row.is_session_live });
  }
  return [answers, states];
}

type LockedItemRow = WorkItemRow & { readonly is_session_live: boolean };

function lockItems(keys: readonly ResourceKey[], owners: ReadonlyMap<string, ResourceKey>): BoundStatement[] {
  if (keys.length + owners.size === 0) return [];
  return [{ statement: LOCK_WORK_ITEMS, values: [...keyArrays(keys), ...keyArrays(owners.values())] }];
}

function withItems(
  keys: ReadonlyMap<string, ResourceKey>,
  created: ReadonlySet<string>,
  resources: readonly Resource[],
): ResourceKey[] {
  const existing = new Set(resources.map(({ key }) => keyId(key)));
  return [...keys].filter(([id]) => existing.has(id) || !created.has(id)).map(([, key]) => key);
}
