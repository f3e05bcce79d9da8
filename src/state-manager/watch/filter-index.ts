import type { Change } from "../../resource/change.js";
import type { LabelSelector } from "../../resource/label-selector.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";

/** What an equality of a filter may be about. */
type Part = "resourceGroup" | "kind" | "namespace" | "name" | "shardId" | "ownerUid" | "label";

const PARTS: readonly Part[] = ["resourceGroup", "kind", "namespace", "name", "shardId", "ownerUid", "label"];

/** The filters with equalities about the same parts. */
interface Shape<Item> {
  readonly parts: readonly Part[];
  /** By the values of the parts. A filter whose label may have several values stands under each of them. */
  readonly places: Map<string, Set<Item>>;
}

/**
 * Finds the filters that a change may concern, without asking the others: filters with equalities about the same parts (a kind
 * and a name, say) are found by what the change has there. So a change costs a look-up for each combination of parts in use, of
 * which there are at most 128, however many filters there are.
 */
export class FilterIndex<Item> {
  readonly #shapes = new Map<string, Shape<Item>>();

  /** Adds an item under its filter. */
  add(filter: ResourceFilter, item: Item): void {
    const parts = partsOf(filter);
    const id = parts.join();
    const shape = this.#shapes.get(id) ?? { parts, places: new Map<string, Set<Item>>() };
    this.#shapes.set(id, shape);
    for (const values of valuesOfFilter(filter, parts)) {
      const items = shape.places.get(values) ?? new Set();
      shape.places.set(values, items.add(item));
    }
  }

  /** Forgets an item; one that is not there is left alone. */
  delete(filter: ResourceFilter, item: Item): void {
    const parts = partsOf(filter);
    const shape = this.#shapes.get(parts.join());
    for (const values of valuesOfFilter(filter, parts)) {
      const items = shape?.places.get(values);
      items?.delete(item);
      if (items?.size === 0) shape?.places.delete(values);
    }
    if (shape?.places.size === 0) this.#shapes.delete(parts.join());
  }

  /** The items whose filters agree with `change` in every indexed equality; the rest of a filter is for the caller to look at. */
  find(change: Change): ReadonlySet<Item> {
    const found = new Set<Item>();
    for (const { parts, places } of this.#shapes.values()) {
      for (const values of valuesOfChange(change, parts)) {
        for (const item of places.get(values) ?? []) found.add(item);
      }
    }
    return found;
  }
}

/** The requirement that stands for a selector: the one with the fewest values. */
function indexedRequirement(labels: LabelSelector | undefined): LabelSelector["requirements"][number] | undefined {
  return labels?.requirements.toSorted((a, b) => a.values.length - b.values.length)[0];
}

function partsOf(filter: ResourceFilter): readonly Part[] {
  return PARTS.filter((part) => (part === "label" ? indexedRequirement(filter.labels) : filter[part]) !== undefined);
}

/** Under what a filter stands: several values only where its label may have several. */
function valuesOfFilter(filter: ResourceFilter, parts: readonly Part[]): readonly string[] {
  const alternatives = parts.map((part) => {
    if (part !== "label") return [filter[part] ?? ""];
    const requirement = indexedRequirement(filter.labels);
    return requirement?.values.map((value) => labelValue(requirement.key, value)) ?? [];
  });
  return combine(alternatives);
}

/** Under what the filters stand that a change may concern: its labels and owner count as they were before, too. */
function valuesOfChange(change: Change, parts: readonly Part[]): readonly string[] {
  const { key, shardId, owner, labels } = change.resource;
  const alternatives = parts.map((part) => {
    switch (part) {
      case "shardId":
        return [shardId];
      case "ownerUid":
        return [change.previousOwnerUid, owner?.uid].filter((uid) => uid != null);
      case "label":
        return [...(change.previousLabels ?? []), ...labels].map(([name, value]) => labelValue(name, value));
      default:
        return [key[part]];
    }
  });
  return combine(alternatives);
}

/** Labels do not contain "=". */
function labelValue(key: string, value: string): string {
  return `${key}=${value}`;
}

/** Every way to take one value of each part, once each. No value contains NUL. */
function combine(alternatives: readonly (readonly string[])[]): readonly string[] {
  let combined: readonly string[] = [""];
  for (const values of alternatives) {
    const [only] = values;
    combined =
      values.length === 1
        ? combined.map((start) => `${start}\0${only}`)
        : [...new Set(values)].flatMap((value) => combined.map((start) => `${start}\0${value}`));
  }
  return combined;
}
