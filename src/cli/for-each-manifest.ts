import pLimit from "p-limit";
import { usageError } from "./exit-codes.js";
import { keyText } from "./key-text.js";
import type { Manifest } from "./manifest/read-manifest.js";

/** As many at once: the server commits what comes together in one transaction. */
const CONCURRENCY = 64;

/**
 * Works on all manifests, many at once, each after the one it belongs to. The answers come in the order of the manifests; each
 * rejects or resolves on its own.
 */
export function forEachManifest<T>(
  manifests: readonly Manifest[],
  work: (manifest: Manifest) => Promise<T>,
): Promise<T>[] {
  const limit = pLimit(CONCURRENCY);
  const byKey = new Map(manifests.map((manifest) => [keyText(manifest.draft.key), manifest]));
  const started = new Map<Manifest, Promise<T>>();
  const start = (manifest: Manifest, children: readonly Manifest[]): Promise<T> => {
    const known = started.get(manifest);
    if (known !== undefined) return known;
    if (children.includes(manifest))
      throw usageError(`${manifest.source.atField("owner")}: owner leads back to this manifest`);
    const owner = byKey.get(ownerKey(manifest) ?? "");
    const ready = owner === undefined ? undefined : start(owner, [...children, manifest]).catch(() => {});
    const done = ready === undefined ? limit(work, manifest) : ready.then(() => limit(work, manifest));
    done.catch(() => {}); // whoever prints the answers comes to it later
    started.set(manifest, done);
    return done;
  };
  return manifests.map((manifest) => start(manifest, []));
}

function ownerKey({ draft: { key, owner } }: Manifest): string | undefined {
  return owner ? keyText({ ...owner, namespace: key.namespace }) : undefined;
}
