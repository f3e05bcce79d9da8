import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { ReconcilerService } from "../../gen/reconcile/v1/reconciler_service_pb.js";
import { ResourceService } from "../../gen/reconcile/v1/resource_service_pb.js";
import { ServerService } from "../../gen/reconcile/v1/server_service_pb.js";

/** The generated clients over one connection. */
export interface Connection {
  readonly resources: Client<typeof ResourceService>;
  readonly reconcilers: Client<typeof ReconcilerService>;
  readonly server: Client<typeof ServerService>;
  /** Ends every call at once. Twice is safe. */
  close(): void;
}

/**
 * A connection over any transport of Connect: `connect` (connect.ts) makes one for Node; in a browser it is
 * createConnectTransport of @connectrpc/connect-web. Nothing else in this folder needs Node.
 */
export function connectionOver(transport: Transport, close: () => void = () => {}): Connection {
  return {
    resources: createClient(ResourceService, transport),
    reconcilers: createClient(ReconcilerService, transport),
    server: createClient(ServerService, transport),
    close,
  };
}
