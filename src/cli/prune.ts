import { isNotFound, type ResourceClient } from "../client/index.js";
import { keyText } from "./key-text.js";
import type { Manifest } from "./manifest/read-manifest.js";
import { nameOf } from "./name-of.js";
import type { Cli } from "./terminal.js";

/** Deletes what `selector` matches in the kinds and namespaces of the manifests and none of them declares. Prints each. */
export async function prune(
  cli: Cli,
  client: ResourceClient,
  {
    manifests,
    selector,
    dryRun,
  }: { readonly manifests: readonly Manifest[]; readonly selector: string; readonly dryRun: boolean },
): Promise<void> {
  const declared = new Set(manifests.map(({ draft }) => keyText(draft.key)));
  const scopes = new Map(
    manifests.map(
      ({
        draft: {
          key: { name, ...scope },
        },
      }) => [JSON.stringify(Object.values(scope)), scope],
    ),
  );
  for (const scope of scopes.values()) {
    for await (const { key, uid } of client.list({ ...scope, labelSelector: selector }, { isSummary: true })) {
      if (declared.has(keyText(key))) continue;
      await client.delete(key, { uid, dryRun }).catch((error: unknown) => {
        if (!isNotFound(error)) throw error; // its owner took it along
      });
      await cli.out.write(`${nameOf(key)} ${cli.out.style("red", "pruned")}${dryRun ? " (dry run)" : ""}\n`);
    }
  }
}
