import { describeChanges } from "../../manifest/changes.js";
import type { Step } from "../recent-changes.js";
import { showAge } from "./duration.js";
import type { Column } from "./table.js";

/** The columns of a table of changes. */
export const HISTORY_COLUMNS: readonly Column<Step>[] = [
  { title: "REVISION", text: ({ entry }) => String(entry.revision) },
  { title: "AGE", text: ({ entry }) => showAge(entry.committedAt) },
  {
    title: "EVENT",
    text: ({ entry }) => entry.type,
    style: ({ entry }) => (entry.type === "DELETED" ? "red" : undefined),
  },
  { title: "GENERATION", text: ({ entry }) => String(entry.resource.generation) },
  { title: "CHANGES", text: whatChanged },
];

const CHANGES_SHOWN = 3;

function whatChanged({ entry, before }: Step): string {
  if (before === undefined) return entry.type === "ADDED" ? "created" : "the log no longer has what was before";
  const changes = describeChanges(before, entry.resource);
  const more = changes.length - CHANGES_SHOWN;
  return changes.slice(0, CHANGES_SHOWN).join("; ") + (more > 0 ? `; and ${more} more` : "");
}
