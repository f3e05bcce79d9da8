import { kindId } from "../../resource/key.js";
import type { DueHint } from "../log/change-log.js";
import type { KeyDraft } from "./batch-draft.js";

/** The doorbell's cue of a batch: per kind the earliest due time of the items it changed and nobody holds. */
export function dueHints(keys: Iterable<KeyDraft>, now: Date): DueHint[] {
  const earliest = new Map<string, DueHint>();
  for (const { key, before, after } of keys) {
    const { item } = after;
    if (item === undefined || item === before.item || item.dueAt === null || item.lease !== null) continue;
    const inMs = Math.max(0, item.dueAt.getTime() - now.getTime());
    const id = kindId(key);
    const known = earliest.get(id);
    if (known === undefined || inMs < known.inMs) {
      earliest.set(id, { resourceGroup: key.resourceGroup, kind: key.kind, inMs });
    }
  }
  return [...earliest.values()];
}
