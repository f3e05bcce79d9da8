import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * A loopback port nobody listens on. It lies below the range from which the kernel takes the ports of outgoing
 * connections (32768 and up on Linux, 49152 elsewhere), so a server that a test stops finds its port still free when it
 * is started again.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(10_000, 32_000);
    if (await canListen(port)) return port;
  }
  throw new Error("found no free port between 10000 and 32000 on 127.0.0.1");
}

/** Whether `port` is free on the loopback address now. */
export function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
