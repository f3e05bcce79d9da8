import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Connection, connectionOver } from "./connection.js";
import { ResourceClient } from "./resource-client.js";

/** A peer that vanished without a word (power, network) is noticed within the sum of the two. */
const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 5_000;

/** How a client behaves. */
export interface ClientOptions {
  /** How long a call may take, all its tries together; the default of 30 s covers a server's restart. */
  readonly timeoutMs?: number;
  /** Run around every call, for example to set an Authorization header. */
  readonly interceptors?: readonly Interceptor[];
}

/** Opens a client for the state-manager at `baseUrl`, for example `http://127.0.0.1:8080`. Connects at the first call. */
export function createResourceClient(baseUrl: string, options: ClientOptions = {}): ResourceClient {
  return new ResourceClient(connect(baseUrl, options.interceptors), options.timeoutMs);
}

/**
 * Connects to a state-manager, for example `http://127.0.0.1:8080`; the connection is opened by the first call and
 * again after it broke.
 *
 * The Connect protocol in its binary form over HTTP/2: all calls, long polls and streams share one connection (over
 * HTTP/1.1 each waiting one would hold its own), and unlike gRPC it needs no trailers, which many proxies drop. One
 * connection also means one server and its limit of concurrent streams: use several for hundreds of watches.
 */
export function connect(baseUrl: string, interceptors: readonly Interceptor[] = []): Connection {
  const sessionManager = new Http2SessionManager(baseUrl, {
    pingIntervalMs: PING_INTERVAL_MS,
    pingTimeoutMs: PING_TIMEOUT_MS,
  });
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: "2",
    sessionManager,
    interceptors: [...interceptors],
    acceptCompression: [], // payloads are small and the network near: compression only costs time
  });
  return connectionOver(transport, () => sessionManager.abort());
}
