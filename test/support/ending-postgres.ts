/** A server that speaks enough of PostgreSQL's protocol to accept a connection and to end it in the same write. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface EndingPostgres {
  readonly port: number;
  /** Connections ended so far. */
  readonly ended: () => number;
  close(): Promise<void>;
}

/** Ends the first `count` connections as `pg_terminate_backend` does, right behind ReadyForQuery; passes the others on to `target`. */
export async function startEndingPostgres(
  target: { readonly host: string; readonly port: number },
  count: number,
): Promise<EndingPostgres> {
  const sockets = new Set<Socket>();
  let ended = 0;
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    track(client);
    if (ended < count) {
      ended += 1;
      client.once("data", () => client.end(Buffer.concat([AUTHENTICATION_OK, READY_FOR_QUERY, TERMINATED])));
      return;
    }
    const upstream = connect(target);
    track(upstream);
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    // A TCP server that listens has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    ended: () => ended,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function message(type: string, body: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(type);
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

const AUTHENTICATION_OK = message("R", Buffer.alloc(4));
const READY_FOR_QUERY = message("Z", Buffer.from("I"));
const TERMINATED = message(
  "E",
  Buffer.from(
    "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0Fpostgres.c\0L1\0RProcessInterrupts\0\0",
  ),
);
