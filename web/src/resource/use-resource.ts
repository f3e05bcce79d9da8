import { useEffect, useState } from "react";
import type { ClientResource } from "../../../src/client/client-resource.js";
import type { ClientWatchEvent } from "../../../src/client/resource-watch.js";
import type { ResourceKey } from "../../../src/resource/key.js";
import { client } from "../api/server.js";

/** What is known of the resource that has a key. */
export interface WatchedResource {
  /** As it is; when it is gone, as it was last. */
  readonly resource: ClientResource | undefined;
  /** Whether the key names something now; undefined until the server has said so. */
  readonly exists: boolean | undefined;
  /** Why it cannot be watched. */
  readonly error: unknown;
}

const NOTHING: WatchedResource = { resource: undefined, exists: undefined, error: undefined };

/** The resource of a key, which must stay the same, kept as it is on the server, through restarts of the server. */
export function useResource(key: ResourceKey): WatchedResource {
  const [watched, setWatched] = useState(NOTHING);
  const { resourceGroup, kind, namespace, name } = key;
  useEffect(() => {
    const left = new AbortController();
    const follow = async () => {
      const options = { sendInitialState: true, signal: left.signal };
      for await (const { events } of client.watch({ resourceGroup, kind, namespace, name }, options)) {
        setWatched((before) => events.reduce(applyEvent, before));
      }
    };
    follow().catch((error: unknown) => setWatched((before) => ({ ...before, error })));
    return () => left.abort();
  }, [resourceGroup, kind, namespace, name]);
  return watched;
}

function applyEvent(before: WatchedResource, event: ClientWatchEvent): WatchedResource {
  switch (event.type) {
    case "RESYNC":
      return { ...before, exists: undefined };
    case "SYNCED":
      return { ...before, exists: before.exists ?? false };
    case "DELETED":
      // Of a move the other half follows; what was deleted and created again has another uid.
      if (event.movedTo !== undefined || isNewer(before.resource, event.resource)) return before;
      return { ...before, resource: event.resource, exists: false };
    case "ADDED":
    case "MODIFIED":
      if (isNewer(before.resource, event.resource)) return before;
      return { ...before, resource: event.resource, exists: true };
  }
}

/** Of one resource; logs are ordered each for itself. */
function isNewer(held: ClientResource | undefined, than: ClientResource): boolean {
  return held !== undefined && held.uid === than.uid && held.writeCount > than.writeCount;
}
