import { memberSpans } from "./json-text.js";

/**
 * Applies a JSON Merge Patch (RFC 7396) to JSON text. What the patch does not name keeps its text to the byte, and what it
 * sets has the patch's: no number is rounded. Members keep their order, new ones come last; of equal keys the last counts.
 *
 * Both texts must be valid JSON; null stands for a document that is not there. The result is nested no deeper than the deeper
 * of the two, its size is not bounded here (`checkFits`). Recurses as deep as the patch is nested.
 */
export function mergePatch(targetJson: string | null, patchJson: string): string {
  const patch = patchJson.trim();
  if (!isObject(patch)) return patch;
  const target = targetJson?.trim() ?? "";
  const members = isObject(target) ? rawMembers(target) : new Map<string, string>();
  for (const [key, value] of rawMembers(patch)) {
    if (value === "null") members.delete(key);
    else members.set(key, mergePatch(members.get(key) ?? null, value));
  }
  return `{${[...members].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
}

function rawMembers(object: string): Map<string, string> {
  return new Map(memberSpans(object).map(({ key, start, end }) => [key, object.slice(start, end)]));
}

function isObject(text: string): boolean {
  return text.startsWith("{");
}
