import type { Http2Session } from "node:http2";
import type { Interceptor } from "@connectrpc/connect";
import { createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { type Connection, connectionOver } from "./connection.js";
import { firstContact } from "./first-contact.js";
import { ResourceClient } from "./resource-client.js";
import { readServerUrl } from "./server-url.js";

/** A peer that vanished without a word (power, network) is noticed within the sum of the two. */
const PING_INTERVAL_MS = 10_000;
const PING_TIMEOUT_MS = 5_000;

/** How a connection behaves. */
interface ConnectOptions {
  /**
   * Whether calls are tried again while there is no server at all; default: true. With false the first call fails within 5 s, with
   * reason NO_SERVER. What answers and is no state-manager fails the first call either way, with reason WRONG_SERVER.
   */
  readonly waitsForServer?: boolean;
  /** Run around every call, for example to set an Authorization header. */
  readonly interceptors?: readonly Interceptor[];
}

/** How a client behaves. */
export interface ClientOptions extends ConnectOptions {
  /** How long a call may take, all its tries together; the default of 30 s covers a server's restart. */
  readonly timeoutMs?: number;
}

/**
 * Opens a client for the state-manager at `baseUrl`, for example `http://127.0.0.1:8080`, or with the path under which a proxy has it.
 * Connects at the first call. Throws when that is no address of a server.
 */
export function createResourceClient(baseUrl: string, options: ClientOptions = {}): ResourceClient {
  return new ResourceClient(connect(baseUrl, options), options.timeoutMs);
}

/**
 * Connects to a state-manager, for example `http://127.0.0.1:8080`; the connection is opened by the first call and
 * again after it broke.
 *
 * The Connect protocol in its binary form over HTTP/2: all calls, long polls and streams share one connection (over
 * HTTP/1.1 each waiting one would hold its own), and unlike gRPC it needs no trailers, which many proxies drop. One
 * connection also means one server and its limit of concurrent streams: use several for hundreds of watches.
 */
export function connect(
  baseUrl: string,
  { waitsForServer = true, interceptors = [] }: ConnectOptions = {},
): Connection {
  const url = readServerUrl(baseUrl);
  const sessions = new Http2SessionManager(url.origin, {
    pingIntervalMs: PING_INTERVAL_MS,
    pingTimeoutMs: PING_TIMEOUT_MS,
  });
  const transport = createConnectTransport({
    baseUrl: url.href,
    httpVersion: "2",
    sessionManager: withoutLooseErrors(sessions),
    interceptors: [...interceptors, firstContact(url, { waitsForServer })],
    acceptCompression: [], // payloads are small and the network near: compression only costs time
  });
  return connectionOver(transport, () => sessions.abort());
}

/**
 * Connect's manager takes its listener off a session before that has told its last error, when a call comes in between: what is
 * no HTTP/2 server, or a connection that breaks at the wrong moment, would end the whole process.
 */
function withoutLooseErrors(
  sessions: Http2SessionManager,
): Pick<Http2SessionManager, "authority" | "request" | "notifyResponseByteRead"> {
  const heard = new WeakSet<Http2Session>();
  return {
    authority: sessions.authority,
    async request(...parameters) {
      const stream = await sessions.request(...parameters);
      const { session } = stream;
      if (session !== undefined && !heard.has(session)) {
        heard.add(session);
        session.on("error", () => {}); // the calls on it fail by themselves
      }
      return stream;
    },
    notifyResponseByteRead: (stream) => sessions.notifyResponseByteRead(stream),
  };
}
