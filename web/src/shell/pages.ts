import type { ResourceKey } from "../../../src/resource/key.js";

/**
 * Where the pages are. The state-manager answers these paths, and below them nothing, with index.html
 * (src/state-manager/api/dashboard.ts).
 */
export const PAGES = {
  overview: "/",
  resources: "/resources",
  resource: "/resource",
  edit: "/edit",
  create: "/create",
  reconcilers: "/reconcilers",
} as const;

/** The address of a resource's page, of its editor, or of the form that creates it. */
export function pathOf(key: ResourceKey, page: "resource" | "edit" | "create" = "resource"): string {
  const { resourceGroup, kind, namespace, name } = key;
  // In the query, where any character can stand: in a path a proxy may take offence at a name that contains a slash.
  return `${PAGES[page]}?${new URLSearchParams({ group: resourceGroup, kind, namespace, name })}`;
}

/** The address of the table with these filters. */
export function pathOfResources(filters: Readonly<Record<string, string>>): string {
  return `${PAGES.resources}?${new URLSearchParams(filters)}`;
}

/** The resource that the address names; missing parts are empty. */
export function readKey(query: URLSearchParams): ResourceKey {
  const part = (name: string) => query.get(name) ?? "";
  return { resourceGroup: part("group"), kind: part("kind"), namespace: part("namespace"), name: part("name") };
}
