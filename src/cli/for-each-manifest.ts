import pLimit from "p-limit";
import { type Manifest, ownerKey } from "../manifest/read-manifest.js";
import { keyId } from "../resource/key.js";
import type { Outcome } from "./report-outcomes.js";

/** As many at once: the server commits what comes together in one transaction. */
const CONCURRENCY = 64;

/**
 * Works on all manifests, many at once, each after the one it belongs to; owners must not go in a circle. Each fails or succeeds on
 * its own.
 */
export function forEachManifest<T>(
  manifests: readonly Manifest[],
  work: (manifest: Manifest) => Promise<T>,
): readonly Outcome<T>[] {
  const limit = pLimit(CONCURRENCY);
  const byKey = new Map(manifests.map((manifest) => [keyId(manifest.draft.key), manifest]));
  const started = new Map<Manifest, Promise<T>>();
  const start = (manifest: Manifest): Promise<T> => {
    const known = started.get(manifest);
    if (known !== undefined) return known;
    const owner = byKey.get(ownerKey(manifest) ?? "");
    const run = () => limit(work, manifest);
    // Whether or not its owner's went well: if the owner is not there, the server will say so.
    const done = owner === undefined ? run() : start(owner).then(run, run);
    started.set(manifest, done);
    return done;
  };
  return manifests.map((manifest) => ({ manifest, promise: start(manifest) }));
}
