import type { StringMap } from "./resource.js";

/** ANDed requirements: each label must exist with one of the values. Grammar: docs/rest-api.md. */
export interface LabelSelector {
  readonly requirements: readonly { readonly key: string; readonly values: readonly string[] }[];
}

/** Whether `labels` satisfy every requirement. An empty value matches a label with an empty value, not a missing one. */
export function matchesSelector(selector: LabelSelector, labels: StringMap): boolean {
  return selector.requirements.every(({ key, values }) => {
    const value = labels.get(key);
    return value !== undefined && values.includes(value);
  });
}
