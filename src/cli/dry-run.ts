import { ApiError, type Applied, type ResourceClient } from "../client/index.js";
import { type Manifest, ownerKey } from "../manifest/read-manifest.js";
import { keyId } from "../resource/key.js";

/**
 * What an apply of `manifest` would do. An owner that the same files create is not there for the server to see: such a manifest is
 * tried without it.
 */
export async function dryRun(
  client: ResourceClient,
  manifest: Manifest,
  manifests: readonly Manifest[],
): Promise<Applied<unknown, unknown>> {
  const { draft } = manifest;
  try {
    return await client.apply(draft, { dryRun: true });
  } catch (error) {
    const owner = ownerKey(manifest);
    const isAboutOwner = error instanceof ApiError && error.field.startsWith("owner");
    if (!isAboutOwner || !manifests.some((other) => keyId(other.draft.key) === owner)) throw error;
    const { owner: _, ...rest } = draft;
    return await client.apply(rest, { dryRun: true });
  }
}
