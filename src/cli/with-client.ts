import { createResourceClient, type ResourceClient } from "../client/index.js";
import { choosePlace, type Place, type PlaceOptions } from "./place.js";
import type { Cli } from "./terminal.js";

/** Runs `work` with a client for the server that the options name, and closes it. */
export async function withClient<T>(
  cli: Cli,
  options: PlaceOptions,
  work: (client: ResourceClient, place: Place) => Promise<T>,
): Promise<T> {
  const place = choosePlace(cli.env, options);
  // For a server that was never there nobody should wait; for one that restarts meanwhile, the client does.
  const client = createResourceClient(place.server, { waitsForServer: false });
  try {
    return await work(client, place);
  } finally {
    client.close();
  }
}
