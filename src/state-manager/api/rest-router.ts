import { invalidField } from "../../resource/errors.js";
import type { ResourceKey } from "../../resource/key.js";

/** What a request asks for; names of endpoints in metrics and OpenAPI. */
export type RestRoute =
  | "create"
  | "get"
  | "update"
  | "update-status"
  | "delete"
  | "list"
  | "watch"
  | "release"
  | "work"
  | "history"
  | "kinds";

/** A path of `/api/v1` with its methods. */
export type RestPath = "collection" | "resource" | SubPath | StorePath;

/** What stands behind the name of a resource. */
type SubPath = "status" | "release" | "work" | "history";

/** What is about the whole store. */
type StorePath = "list" | "kinds" | "watch";

/** Every path of the dialect and what its methods do. HEAD is answered like GET, OPTIONS everywhere. */
export const REST_PATHS: Readonly<Record<RestPath, ReadonlyMap<string | undefined, RestRoute>>> = {
  collection: new Map([["POST", "create"]]),
  resource: new Map([
    ["GET", "get"],
    ["HEAD", "get"],
    ["PUT", "update"],
    ["DELETE", "delete"],
  ]),
  status: new Map([["PUT", "update-status"]]),
  release: new Map([["POST", "release"]]),
  work: new Map([
    ["GET", "work"],
    ["HEAD", "work"],
  ]),
  history: new Map([
    ["GET", "history"],
    ["HEAD", "history"],
  ]),
  kinds: new Map([
    ["GET", "kinds"],
    ["HEAD", "kinds"],
  ]),
  list: new Map([
    ["GET", "list"],
    ["HEAD", "list"],
  ]),
  watch: new Map([["GET", "watch"]]),
};

/** Where a path leads; the key's parts are still percent-encoded, `name` is empty for a collection. */
export interface RestTarget {
  readonly path: RestPath;
  readonly resourceGroup: string;
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
}

const NO_KEY = { resourceGroup: "", namespace: "", kind: "", name: "" };
const STORE_PATHS: ReadonlyMap<string | undefined, RestTarget> = new Map([
  ["resources", { path: "list", ...NO_KEY }],
  ["kinds", { path: "kinds", ...NO_KEY }],
  ["watch", { path: "watch", ...NO_KEY }],
]);

/**
 * Finds the target of a path without its query; undefined: there is no such path. One trailing slash is ignored.
 *
 * `/api/v1/groups/{resource_group}/namespaces/{namespace}/kinds/{kind}/resources[/{name}[/status|release|work|history]]`,
 * `/api/v1/resources`, `/api/v1/kinds` and `/api/v1/watch`. Split before decoding, so a name may contain an encoded slash.
 */
export function matchRestPath(path: string): RestTarget | undefined {
  const parts = path.split("/");
  if (parts[parts.length - 1] === "") parts.pop();
  if (parts[1] !== "api" || parts[2] !== "v1") return undefined;
  if (parts.length === 4) return STORE_PATHS.get(parts[3]);
  const [, , , groups, resourceGroup, namespaces, namespace, kinds, kind, resources, name = "", subPath = ""] = parts;
  if (groups !== "groups" || namespaces !== "namespaces" || kinds !== "kinds" || resources !== "resources")
    return undefined;
  if (!resourceGroup || !namespace || !kind) return undefined;
  if (parts.length === 10) return { path: "collection", resourceGroup, namespace, kind, name };
  if (name === "") return undefined;
  if (parts.length === 11) return { path: "resource", resourceGroup, namespace, kind, name };
  return parts.length === 12 && isSubPath(subPath)
    ? { path: subPath, resourceGroup, namespace, kind, name }
    : undefined;
}

function isSubPath(part: string): part is SubPath {
  return part === "status" || part === "release" || part === "work" || part === "history";
}

/** The value of `Allow` for a path. */
export function allowedMethods(path: RestPath): string {
  return [...REST_PATHS[path].keys(), "OPTIONS"].join(", ");
}

/** The key of a target, percent-decoded exactly once: `+` is a plus and `%2541` is `%41`. Throws INVALID_FIELD. */
export function keyOf(target: RestTarget): ResourceKey {
  return {
    resourceGroup: decodePart("resource_group", target.resourceGroup),
    kind: decodePart("kind", target.kind),
    namespace: decodePart("namespace", target.namespace),
    name: decodePart("name", target.name),
  };
}

function decodePart(field: string, text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidField(field, `must be percent-encoded UTF-8 in the path, not ${JSON.stringify(text)}`);
  }
}
