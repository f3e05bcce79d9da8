import type { ResourceClient } from "../client/index.js";
import { similarWord } from "../shared/similar-word.js";
import { printable } from "./printable.js";
import type { Reading } from "./target.js";

/**
 * What to say of a kind that there is nothing of, neither resources in any namespace nor a reconciler; undefined when the kind is
 * known in one of the readings.
 */
export async function unknownKind(
  client: ResourceClient,
  readings: readonly Pick<Reading, "kind" | "group">[],
): Promise<string | undefined> {
  const { kinds } = await client.kinds();
  for (const { kind, group } of readings) {
    if (kinds.some((known) => isOf(known, kind, group))) return undefined;
    // The kinds are counted now and then: one that is new may be missing.
    const selection = { kind, ...(group !== undefined && { resourceGroup: group }) };
    for await (const _ of client.list(selection, { pageSize: 1, isSummary: true })) return undefined;
  }
  const [{ kind, group } = { kind: "", group: undefined }] = readings;
  const elsewhere = kinds.filter((known) => known.kind === kind).map(({ resourceGroup }) => resourceGroup);
  if (elsewhere.length > 0) {
    return printable(`group ${group} has no kind ${kind}; ${elsewhere.join(" and ")} has one`);
  }
  const names = [...new Set(kinds.map((known) => known.kind))];
  const similar = similarWord(kind, names);
  if (similar !== undefined) return printable(`the kind ${kind} is not known; did you mean ${similar}?`);
  return printable(`the kind ${kind} is not known; kinds there are: ${names.join(", ") || "none"}`);
}

/** Whether a kind is the one that a reading names. */
export function isOf(
  known: { readonly kind: string; readonly resourceGroup: string },
  kind: string,
  group: string | undefined,
): boolean {
  return known.kind === kind && (group === undefined || known.resourceGroup === group);
}
