import type { ResourceKey } from "../client/index.js";

/** A key as one text, different for different keys. For sets and maps. */
export function keyText({ resourceGroup, kind, namespace, name }: ResourceKey): string {
  return JSON.stringify([resourceGroup, kind, namespace, name]);
}
