import { createServer as createHttp1Server, type RequestListener } from "node:http";
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import { createServer, type Server, type Socket } from "node:net";
import { freePort } from "../src/shared/free-port.js";

/** Answers requests of HTTP/1.1 and HTTP/2. */
export type AnyListener = RequestListener & ((request: Http2ServerRequest, response: Http2ServerResponse) => void);

/**
 * A loopback port for HTTP/1.1 and cleartext HTTP/2, told apart by the first bytes of a connection, that can fail as
 * networks and servers do: cut its connections, stop listening, come back under the same number.
 *
 * Apart from the product's own port on purpose: what judges workers must not share the faults of what they work for.
 */
export class LoopbackPort {
  readonly #number: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(number: number, listener: AnyListener) {
    this.#number = number;
    const http1 = createHttp1Server(listener);
    const http2 = createHttp2Server(listener);
    // A cut connection is what a scenario asked for.
    http2.on("session", (session: ServerHttp2Session) => session.on("error", () => session.destroy()));
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy()).once("close", () => this.#sockets.delete(socket));
      socket.once("readable", () => {
        const first: Buffer | null = socket.read();
        if (first === null) return;
        socket.unshift(first);
        const isHttp2 = first.toString("latin1").startsWith("PRI");
        (isHttp2 ? http2 : http1).emit("connection", socket);
      });
    });
  }

  /** Chooses a free port. It listens after `open`. */
  static async choose(listener: AnyListener): Promise<LoopbackPort> {
    return new LoopbackPort(await freePort(), listener);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#number}`;
  }

  /** Listens, also again. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#number, "127.0.0.1", () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Cuts all connections, in the middle of whatever they carry; new ones are taken. */
  cut(): void {
    // Not `resetAndDestroy`: a session of HTTP/2 that has taken over the socket then spins for good (Node 20).
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Cuts all connections and refuses new ones. Safe when it is closed. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }
}
