import { kindId } from "../../resource/key.js";
import type { CommittedDue } from "../log/change-log.js";
import type { KeyDraft } from "./batch-draft.js";

/** The doorbell's cue of a batch: per kind the earliest due time of the items it changed and nobody holds. */
export function dueHints(keys: Iterable<KeyDraft>, now: Date): CommittedDue[] {
  const earliest = new Map<string, CommittedDue>();
  for (const { key, before, after } of keys) {
    const { item } = after;
    if (item === undefined || item === before.item || item.dueAt === null || item.lease !== null) continue;
    const inMs = Math.max(0, item.dueAt.getTime() - now.getTime());
    const id = kindId(key);
    const known = earliest.get(id);
    earliest.set(id, {
      resourceGroup: key.resourceGroup,
      kind: key.kind,
      inMs: Math.min(inMs, known?.inMs ?? inMs),
      items: (known?.items ?? 0) + 1,
    });
  }
  return [...earliest.values()];
}
