import type { ResourceClient } from "../client/index.js";
import { similarWord } from "../shared/similar-word.js";
import { printable } from "./printable.js";
import type { Reading } from "./target.js";

/** The first reading whose kind there is something of, in any namespace; undefined when there is none. */
export async function firstKnown<R extends Pick<Reading, "kind" | "group">>(
  client: ResourceClient,
  readings: readonly R[],
): Promise<R | undefined> {
  const { kinds } = await client.kinds();
  const counted = readings.find(({ kind, group }) => kinds.some((known) => isOf(known, kind, group)));
  if (counted !== undefined) return counted;
  // The kinds are counted now and then: one that is new may be missing.
  for (const reading of readings) {
    const { kind, group } = reading;
    const selection = { kind, ...(group !== undefined && { resourceGroup: group }) };
    for await (const _ of client.list(selection, { pageSize: 1, isSummary: true })) return reading;
  }
  return undefined;
}

/**
 * What to say of a kind that there is nothing of, neither resources in any namespace nor a reconciler; undefined when the kind is
 * known in one of the readings.
 */
export async function unknownKind(
  client: ResourceClient,
  readings: readonly Pick<Reading, "kind" | "group">[],
): Promise<string | undefined> {
  if ((await firstKnown(client, readings)) !== undefined) return undefined;
  const { kinds } = await client.kinds();
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
