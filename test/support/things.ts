/** Short ways to name and declare resources. */
import type { ResourceInput } from "../../src/resource/command.js";
import type { ResourceKey } from "../../src/resource/key.js";

/** A key of the kind `test/thing` in `default`. */
export function thingKey(name: string): ResourceKey {
  return { resourceGroup: "test", kind: "thing", namespace: "default", name };
}

/** A desired state with everything optional left empty. */
export function thing(name: string, changes: Partial<ResourceInput> = {}): ResourceInput {
  return {
    key: thingKey(name),
    shardId: "s1",
    labels: new Map(),
    annotations: new Map(),
    finalizers: [],
    specJson: null,
    ...changes,
  };
}
