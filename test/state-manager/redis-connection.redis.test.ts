import { createServer, type Socket } from "node:net";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../src/shared/free-port.js";
import { isReady, RedisConnections, together, togetherThisTurn } from "../../src/state-manager/redis-connection.js";
import { hasRedis, startRedis } from "../support/redis.js";
import { until } from "../support/until.js";

describe("RedisConnections", () => {
  const closers: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  function connect(url: string) {
    const lines: string[] = [];
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
    const connections = new RedisConnections(url, logger);
    closers.push(() => connections.close());
    return { connections, lines };
  }

  it.skipIf(!hasRedis)(
    "refuses commands at once while Redis is away, and connects by itself when it is back",
    async () => {
      const server = await startRedis();
      closers.push(() => server.stop());
      const { connections, lines } = connect(server.url);
      const { commands } = connections;
      await until(() => isReady(commands));
      const blocked = connections.blocking(10_000);
      await until(() => isReady(blocked));
      const waiting = blocked.xread("BLOCK", 10_000, "STREAMS", "s", "0").catch((error: unknown) => error);
      await server.kill();
      expect(await waiting).toBeInstanceOf(Error);
      await until(() => !isReady(commands));
      await expect(commands.ping()).rejects.toThrow();
      await until(() => lines.length >= 2);
      await server.start();
      await until(() => isReady(commands));
      expect(await commands.ping()).toBe("PONG");
      // One line per connection and outage, however many attempts there were.
      expect(lines.filter((line) => line.includes("lost")).length).toBeLessThanOrEqual(3);
    },
  );

  it.skipIf(!hasRedis)("sends what is said in one turn of the event loop in one piece, at its end", async () => {
    const server = await startRedis();
    closers.push(() => server.stop());
    const { commands } = connect(server.url).connections;
    await until(() => isReady(commands));
    const held = () => commands.stream.writableLength;
    const answers = [togetherThisTurn(commands, () => commands.incr("n"))];
    const afterOne = held();
    expect(afterOne).toBeGreaterThan(0);
    await Promise.resolve();
    answers.push(
      togetherThisTurn(commands, () => commands.incr("n")),
      together(commands, () => commands.incr("n")),
    );
    expect(held()).toBe(3 * afterOne);
    expect(await Promise.all(answers)).toEqual([1, 2, 3]);
    expect([held(), commands.stream.writableCorked]).toEqual([0, 0]);
  });

  it("gives up a peer that accepts and never answers", async () => {
    const sockets = new Set<Socket>();
    const silent = createServer((socket) => {
      sockets.add(socket.on("error", () => {}));
      socket.resume();
    });
    const port = await freePort();
    await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    connect(`redis://127.0.0.1:${port}`);
    await until(() => sockets.size >= 2, { timeoutMs: 15_000 });
  });
});
