/** What stands before replicas in production, at its simplest: a TCP port that leads to the first replica that accepts. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A running balancer. */
export interface Balancer {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts one before `urls`; a connection that breaks on one side is broken on the other. */
export async function startBalancer(urls: readonly string[]): Promise<Balancer> {
  const ports = urls.map((url) => Number(new URL(url).port));
  const sockets = new Set<Socket>();
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: false }, (client) => {
    track(client);
    client.on("error", () => client.destroy());
    const tryNext = (rest: readonly number[]) => {
      const [port, ...others] = rest;
      if (port === undefined || client.destroyed) {
        client.destroy();
        return;
      }
      const upstream = connect(port, "127.0.0.1");
      track(upstream);
      upstream
        .once("error", () => tryNext(others))
        .once("connect", () => {
          upstream.removeAllListeners("error");
          upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
          client.on("close", () => upstream.destroy());
          client.pipe(upstream).pipe(client);
        });
    };
    tryNext(ports);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A TCP server that listens has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
