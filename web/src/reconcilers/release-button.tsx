import { useQueryClient } from "@tanstack/react-query";
import type { ResourceKey } from "../../../src/resource/key.js";
import { client } from "../api/server.js";
import { ErrorNote } from "../elements/error-note.js";
import { useAction } from "../elements/use-action.js";

/** Ends a quarantine: the resource is due now, and its strikes are forgotten. */
export function ReleaseButton({ of: key }: { readonly of: ResourceKey }) {
  const queries = useQueryClient();
  const release = useAction(async () => {
    await client.releaseQuarantine(key);
    await queries.invalidateQueries();
  });
  return (
    <>
      <button type="button" onClick={release.run} disabled={release.isRunning}>
        Release
      </button>
      <ErrorNote error={release.error} doing="release it" />
    </>
  );
}
