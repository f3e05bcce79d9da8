import { createServer, type RequestListener, type Server } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { AcceptFirst } from "./accept-first.js";
import { answerClientError } from "./client-error.js";
import { connectionLimit, refuseConnection } from "./connection-limit.js";
import { dropDeadPeers } from "./http2-keepalive.js";

/** The first bytes of every HTTP/2 connection with prior knowledge (RFC 9113 §3.4); no HTTP/1.1 request begins so. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** How a port is tuned; every wait and count has a limit (I9). */
export interface OnePortOptions {
  /** A connection that has not shown which protocol it speaks is dropped after this time. Defaults to 10,000. */
  readonly sniffTimeoutMs?: number | undefined;
  /** Headers of an HTTP/1.1 request must be complete within this time, else 408. Defaults to 10,000. */
  readonly headersTimeoutMs?: number | undefined;
  /** A request's body must be complete within this time; answers and streams are not cut. Defaults to 60,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Connections at once; one more is answered with 503, or GOAWAY. Defaults to the open files of the process, less 256. */
  readonly maxConnections?: number | undefined;
  /** Every HTTP/2 connection is pinged this often. Defaults to 30,000. */
  readonly pingIntervalMs?: number | undefined;
  /** A peer that does not answer a ping within this time is dropped. Defaults to 10,000. */
  readonly pingTimeoutMs?: number | undefined;
}

/**
 * Calls on one HTTP/2 connection. Connect's client opens one connection per transport and fails past the limit instead of
 * queueing, and each watch is one stream, so the limit is far above Node's and gRPC's usual 100.
 */
const MAX_CONCURRENT_STREAMS = 4096;
/** Megabytes of buffers one HTTP/2 session may hold before new streams are refused; Node's 10 is too few for watches. */
const MAX_SESSION_MEMORY_MB = 256;
/** Longer than the idle time of common load balancers, so that it is they who close idle connections. */
const KEEP_ALIVE_MS = 75_000;
const CLOSE_CHECK_INTERVAL_MS = 50;
/** Connections the kernel completes before they are accepted; it takes less when `net.core.somaxconn` is less. Node's is 511. */
const LISTEN_BACKLOG = 4_096;

/** Answers requests of both protocols. */
export type AnyRequestListener = RequestListener & ((req: Http2ServerRequest, res: Http2ServerResponse) => void);

/**
 * One cleartext port for HTTP/1.1 and for HTTP/2 with prior knowledge, told apart by the connection preface (2.13).
 *
 * `http.Server` is the listening server and its `connection` listeners are swapped: with a net.Server in front, Node would
 * never arm `headersTimeout` and `requestTimeout`, and a slow client could hold connections forever.
 */
export class OnePort {
  readonly #http1: Server;
  readonly #http2: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #http2Sockets = new Set<Socket>();
  readonly #sniffing = new Set<Socket>();
  readonly #accept1: readonly ((socket: Socket) => void)[];
  readonly #sniffTimeoutMs: number;

  constructor(listener: AnyRequestListener, options: OnePortOptions = {}) {
    this.#sniffTimeoutMs = options.sniffTimeoutMs ?? 10_000;
    const turns = new AcceptFirst(listener as ConstructorParameters<typeof AcceptFirst>[0]);
    const begin = turns.begin.bind(turns) as AnyRequestListener;
    this.#http1 = createServer(
      {
        noDelay: true,
        keepAliveTimeout: KEEP_ALIVE_MS,
        headersTimeout: options.headersTimeoutMs ?? 10_000,
        requestTimeout: options.requestTimeoutMs ?? 60_000,
        connectionsCheckingInterval: 1_000,
      },
      begin,
    );
    this.#http1.on("clientError", answerClientError);
    this.#http2 = createHttp2Server(
      { settings: { maxConcurrentStreams: MAX_CONCURRENT_STREAMS }, maxSessionMemory: MAX_SESSION_MEMORY_MB },
      begin,
    );
    this.#http2.on("session", (session) => this.#track(session));
    dropDeadPeers(this.#http2, options.pingIntervalMs ?? 30_000, options.pingTimeoutMs ?? 10_000);
    // Node types listeners as Function; these are the ones http.Server itself installed, and each takes the socket.
    this.#accept1 = this.#http1.listeners("connection") as ((socket: Socket) => void)[];
    this.#http1.removeAllListeners("connection");
    const maxConnections = options.maxConnections ?? connectionLimit();
    let open = 0;
    this.#http1.on("connection", (socket) => {
      turns.accepted();
      open += 1;
      socket.once("close", () => {
        open -= 1;
      });
      if (open > maxConnections) refuseConnection(socket, maxConnections);
      else this.#sniff(socket);
    });
    // An accept can fail (no file descriptors left). It concerns that connection only, and an error without a listener would end
    // the process.
    this.#http1.on("error", () => {});
  }

  /** Starts to listen and returns the port; port 0 takes a free one. Rejects when the address is taken. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#http1.once("error", reject);
      this.#http1.listen({ port, host, backlog: LISTEN_BACKLOG }, () => {
        this.#http1.off("error", reject);
        // An AddressInfo, because a TCP port was asked for.
        resolve((this.#http1.address() as AddressInfo).port);
      });
    });
  }

  /**
   * Stops accepting, tells HTTP/2 peers to go away, lets running requests finish and cuts what is left after `graceMs`.
   *
   * Safe to call twice.
   */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http1.close(() => resolve()));
    for (const socket of this.#sniffing) socket.destroy();
    for (const session of this.#sessions) session.close();
    // A kept-alive connection that was busy when the port closed is idle only after its answer.
    const idle = setInterval(() => this.#http1.closeIdleConnections(), CLOSE_CHECK_INTERVAL_MS);
    const cut = setTimeout(() => {
      // Not the sessions: one that was told to close would wait for its peer even when it is destroyed.
      for (const socket of this.#http2Sockets) socket.destroy();
      this.#http1.closeAllConnections();
    }, graceMs);
    await closed;
    clearInterval(idle);
    clearTimeout(cut);
  }

  #track(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once("close", () => this.#sessions.delete(session));
    // A broken connection is the peer's affair: its streams end through their own signals.
    session.on("error", () => session.destroy());
  }

  #openHttp2(socket: Socket): void {
    // http.Server leaves its sockets half open, and then a session whose peer is gone, with writes it will never take, would
    // never close: its streams would hold their watches for good.
    socket.allowHalfOpen = false;
    this.#http2Sockets.add(socket);
    socket.once("close", () => this.#http2Sockets.delete(socket));
    this.#http2.emit("connection", socket);
  }

  #sniff(socket: Socket): void {
    let seen: Buffer = Buffer.alloc(0);
    const drop = () => socket.destroy();
    const timer = setTimeout(drop, this.#sniffTimeoutMs);
    const stop = () => {
      clearTimeout(timer);
      this.#sniffing.delete(socket);
      socket.off("readable", look).off("error", drop).off("end", drop).off("close", stop);
    };
    const look = () => {
      for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
        seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
        const known = Math.min(seen.length, PREFACE.length);
        const isHttp2 = seen.compare(PREFACE, 0, known, 0, known) === 0;
        if (isHttp2 && known < PREFACE.length) continue;
        stop();
        socket.unshift(seen);
        if (isHttp2) this.#openHttp2(socket);
        else for (const accept of this.#accept1) accept.call(this.#http1, socket);
        return;
      }
    };
    this.#sniffing.add(socket);
    socket.on("readable", look).on("error", drop).on("end", drop).on("close", stop);
  }
}
