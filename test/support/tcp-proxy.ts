/** A TCP proxy that loses what a test tells it to lose. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface TcpProxy {
  readonly port: number;
  /** Cuts the next `times` connections that send a message with `text`: the message arrives, the reply does not. */
  cutReplyTo(text: string, times?: number): void;
  /** Whether all of that has happened. */
  readonly hasCut: () => boolean;
  /** From now on the open connections carry nothing any more, and nobody is told. New ones work. */
  swallow(): void;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
  let trigger = "";
  let cutsLeft = 0;
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
      if (cutsLeft === 0 || !data.includes(trigger)) return;
      cutsLeft -= 1;
      upstream.removeAllListeners("data");
      client.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // A TCP server that listens has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    cutReplyTo(text, times = 1) {
      trigger = text;
      cutsLeft = times;
    },
    hasCut: () => cutsLeft === 0,
    swallow() {
      for (const socket of sockets) socket.removeAllListeners("data").resume();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
