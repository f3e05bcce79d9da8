import { createConnectTransport } from "@connectrpc/connect-web";
import { QueryClient } from "@tanstack/react-query";
import { connectionOver } from "../../../src/client/connection.js";
import { ResourceClient } from "../../../src/client/resource-client.js";
import { getContact, observeContact, subscribeContact } from "./contact.js";

/** How the pages reach the server that they came from. In binary form, which is smaller than JSON. */
export const transport = createConnectTransport({
  baseUrl: location.origin,
  useBinaryFormat: true,
  interceptors: [observeContact],
});

/** The generated clients. */
export const connection = connectionOver(transport);

/** A write waits this long for a server that restarts, in milliseconds: a person is waiting for its answer. */
const WRITE_TIMEOUT_MS = 15_000;

/** The client library; what the pages write goes through it. */
export const client = new ResourceClient(connection, WRITE_TIMEOUT_MS);

/** What the pages have read. A failed read is shown, and repeated when its poll comes round: never silently. */
export const queryClient = new QueryClient({
  defaultOptions: { queries: { retry: false, networkMode: "always", staleTime: 500 } },
});

// Whatever was read before the server went away may have changed meanwhile.
let previous = getContact();
subscribeContact(() => {
  const isBack = previous === "away" && getContact() === "connected";
  previous = getContact();
  if (isBack) void queryClient.invalidateQueries();
});
