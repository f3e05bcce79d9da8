/** A TCP proxy that loses what a test tells it to lose. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /**
   * Cuts the next `times` connections that send a message with `text`: the message arrives, the reply does not. `lastWords` are sent to
   * the client instead.
   */
  cutReplyTo(text: string, times?: number, lastWords?: Buffer): void;
  /** Whether all of that has happened. */
  readonly hasCut: () => boolean;
  /** From now on the open connections carry nothing any more, and nobody is told. New ones work. */
  swallow(): void;
  /**
   * Holds back the next message with `text`, and what its connection sends behind it, until `deliver`: as a network does that is late, also
   * when the sender has gone meanwhile.
   */
  hold(text: string): void;
  /** Whether a message is held back. */
  readonly isHolding: () => boolean;
  /** Breaks the connection of what is held back, at the sender's side alone. */
  hangUp(): void;
  /** Delivers what was held back; resolves when the target has answered it, or closed the connection. */
  deliver(): Promise<void>;
  /** New connections lead to another port from now on; open ones are cut. */
  redirect(port: number): void;
  close(): Promise<void>;
}

/** Listens on `port`; by default on a free one. */
export async function startTcpProxy(
  target: { readonly host: string; readonly port: number },
  port = 0,
): Promise<TcpProxy> {
  let trigger = "";
  let cutsLeft = 0;
  let farewell: Buffer | undefined;
  let { port: targetPort } = target;
  let toHold = "";
  let held: { readonly client: Socket; readonly upstream: Socket; readonly bytes: Buffer[] } | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: target.host, port: targetPort });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // A cut connection errs on both sides; each side then closes the other.
      socket.on("error", () => {});
    }
    upstream.on("data", (data) => client.write(data));
    upstream.on("close", () => client.destroy());
    client.on("close", () => {
      // What is late arrives although its sender is gone.
      if (held?.client !== client) upstream.end();
    });
    client.on("data", (data) => {
      if (toHold !== "" && data.includes(toHold)) {
        toHold = "";
        held = { client, upstream, bytes: [] };
      }
      if (held?.client === client) {
        held.bytes.push(data);
        return;
      }
      upstream.write(data);
      if (cutsLeft === 0 || !data.includes(trigger)) return;
      cutsLeft -= 1;
      upstream.removeAllListeners("data");
      if (farewell === undefined) client.destroy();
      else client.end(farewell);
    });
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    // A TCP server that listens has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    cutReplyTo(text, times = 1, lastWords) {
      trigger = text;
      cutsLeft = times;
      farewell = lastWords;
    },
    hasCut: () => cutsLeft === 0,
    swallow() {
      for (const socket of sockets) socket.removeAllListeners("data").resume();
    },
    hold(text) {
      toHold = text;
    },
    isHolding: () => held !== undefined,
    hangUp() {
      held?.client.destroy();
    },
    async deliver() {
      if (held === undefined) throw new Error("nothing is held back");
      const { client, upstream, bytes } = held;
      held = undefined;
      const answered = new Promise<void>((resolve) => {
        upstream.once("data", () => resolve());
        upstream.once("close", () => resolve());
        if (upstream.destroyed) resolve();
      });
      upstream.write(Buffer.concat(bytes));
      await answered;
      if (client.destroyed) upstream.end();
    },
    redirect(port) {
      targetPort = port;
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
