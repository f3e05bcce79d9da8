import { isNotFound, type ResourceClient } from "../client/index.js";
import type { Manifest } from "../manifest/read-manifest.js";
import { keyId } from "../resource/key.js";
import { nameOf } from "./name-of.js";
import type { Cli } from "./terminal.js";

/** What is pruned. */
export interface Pruning {
  readonly manifests: readonly Manifest[];
  readonly selector: string;
  readonly dryRun: boolean;
}

/** Deletes what `selector` matches in the kinds and namespaces of the manifests and none of them declares. Prints each. */
export async function prune(cli: Cli, client: ResourceClient, { manifests, selector, dryRun }: Pruning): Promise<void> {
  const keys = manifests.map(({ draft }) => draft.key);
  const declared = new Set(keys.map(keyId));
  const scopes = new Map(keys.map(({ name, ...scope }) => [keyId({ ...scope, name: "" }), scope]));
  for (const scope of scopes.values()) {
    for await (const { key, uid } of client.list({ ...scope, labelSelector: selector }, { isSummary: true })) {
      if (declared.has(keyId(key))) continue;
      await client.delete(key, { uid, dryRun }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error; // its owner took it along
      });
      await cli.out.write(`${nameOf(key)} ${cli.out.style("red", "pruned")}${dryRun ? " (dry run)" : ""}\n`);
    }
  }
}
