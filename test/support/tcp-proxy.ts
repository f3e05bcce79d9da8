/** A TCP proxy that loses what a test tells it to lose. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Cuts the next connection that sends a message containing `text`: the message arrives, the reply does not. */
  cutReplyTo(text: string): void;
  /** Resolves when that has happened. */
  readonly hasCut: () => boolean;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  let trigger: string | undefined;
  let hasCut = false;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(target);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // A cut connection errs on both sides; each side then closes the other.
      socket.on("error", () => {});
    }
    upstream.on("data", (data) => client.write(data));
    upstream.on("close", () => client.destroy());
    client.on("close", () => upstream.end());
    client.on("data", (data) => {
      upstream.write(data);
      if (trigger === undefined || !data.includes(trigger)) return;
      trigger = undefined;
      hasCut = true;
      upstream.removeAllListeners("data");
      client.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // A TCP server that listens has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    cutReplyTo(text) {
      trigger = text;
      hasCut = false;
    },
    hasCut: () => hasCut,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
