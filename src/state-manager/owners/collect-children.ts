import type { Command, DeletionPropagation } from "../../resource/command.js";
import type { ResourceKey } from "../../resource/key.js";
import { FOREGROUND_FINALIZER, ORPHAN_FINALIZER } from "../../resource/server-finalizers.js";
import type { Database } from "../store/database.js";
import {
  CHILDREN_PAGE,
  type ChildRow,
  type ClaimedRow,
  END_COLLECTION,
  POSTPONE_COLLECTION,
  READ_REST,
  type RestRow,
} from "../store/statements/collections.js";
import type { CommandResult } from "../store/store.js";

/** Children read and dealt with at a time: memory stays bounded, and a page is one commit batch. */
const PAGE_ROWS = 100;

/**
 * An owner that waits for its children is woken when one goes. This long after, in seconds, it looks by itself: with several
 * logs a child may go just while its owner's request is being committed.
 */
const LOOK_AGAIN_SECONDS = 30;

/** What one owner's collection works with. */
export interface CollectTools {
  readonly database: Database;
  /** Waits while too much is in flight. */
  readonly submit: (command: Command) => Promise<CommandResult>;
  readonly signal: AbortSignal;
}

/**
 * Walks the children of one owner and ends its collection when nothing is left to do. Every step may be repeated, by whoever
 * takes over: commands are guarded by the child's uid and by whom it belongs to. Rejects when the store could not be asked, or
 * a child could not be dealt with; the others were.
 */
export async function collectChildren(claim: ClaimedRow, tools: CollectTools): Promise<void> {
  await walk(claim, tools);
  if (tools.signal.aborted) return;
  const { database } = tools;
  const finalizer = HOLDS[claim.mode];
  if (finalizer !== undefined) {
    const [rest] = await database.query<RestRow>(READ_REST, [claim.owner_uid, finalizer]);
    if (rest === undefined) return;
    // Whoever forced the hold off waits for nothing.
    if (rest.has_children && rest.is_held) {
      await database.query(POSTPONE_COLLECTION, [claim.owner_uid, rest.due_at, LOOK_AGAIN_SECONDS]);
      return;
    }
    await tools.submit({ type: "release-owner", key: keyOf(claim), uid: claim.owner_uid, finalizer });
  }
  await database.query(END_COLLECTION, [claim.owner_uid]);
}

/** What holds the owner until its children are dealt with. */
const HOLDS: Readonly<Record<DeletionPropagation, string | undefined>> = {
  BACKGROUND: undefined,
  FOREGROUND: FOREGROUND_FINALIZER,
  ORPHAN: ORPHAN_FINALIZER,
};

async function walk(claim: ClaimedRow, { database, submit, signal }: CollectTools): Promise<void> {
  const failures: unknown[] = [];
  let afterId: bigint | undefined = 0n;
  while (afterId !== undefined && !signal.aborted) {
    // Orphaned are those on their way out too: whoever waits for them must not be told of an owner that is gone.
    const values = [claim.owner_uid, afterId, PAGE_ROWS, claim.mode === "ORPHAN"];
    const page: ChildRow[] = await database.query<ChildRow>(CHILDREN_PAGE, values);
    const results = await Promise.allSettled(page.map((child) => submit(commandFor(claim, child))));
    for (const result of results) if (result.status === "rejected") failures.push(result.reason);
    afterId = page.length < PAGE_ROWS ? undefined : page.at(-1)?.id;
  }
  if (failures.length > 0) throw failures[0];
}

/** What is owned by a child that is waited for is waited for too. */
function commandFor({ mode, owner_uid: ownerUid }: ClaimedRow, child: ChildRow): Command {
  const propagation = mode === "FOREGROUND" && !child.has_children ? "BACKGROUND" : mode;
  return { type: "collect", key: keyOf(child), uid: child.uid, ownerUid, propagation };
}

function keyOf(row: Pick<ClaimedRow, "resource_group" | "kind" | "namespace" | "name">): ResourceKey {
  return { resourceGroup: row.resource_group, kind: row.kind, namespace: row.namespace, name: row.name };
}
