import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { DueHint } from "../../../src/state-manager/log/change-log.js";
import { RedisDoorbellChannel } from "../../../src/state-manager/log/doorbell-channel.js";
import { StreamKeys } from "../../../src/state-manager/log/stream-keys.js";
import { RedisConnections } from "../../../src/state-manager/redis-connection.js";
import { hasRedis, type RedisServer, startRedis } from "../../support/redis.js";
import { until } from "../../support/until.js";

const keys = new StreamKeys("0190c6f0-1111-7222-8333-444455556666");
const hint = (kind: string, inMs = 0): DueHint => ({ resourceGroup: "apps", kind, inMs });

describe.skipIf(!hasRedis)("RedisDoorbellChannel", () => {
  let server: RedisServer;
  const closers: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    server = await startRedis();
  });
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
    await server.stop();
  });

  function open() {
    const connections = new RedisConnections(server.url, pino({ level: "silent" }));
    const channel = new RedisDoorbellChannel({
      publisher: connections.commands,
      subscriber: connections.subscriber(),
      health: connections.health,
      keys,
    });
    const heard: DueHint[] = [];
    channel.listen((hints) => heard.push(...hints));
    closers.push(async () => {
      await channel.close();
      connections.close();
    });
    return { channel, heard };
  }

  const subscribers = async (count: number) => {
    const control = server.client();
    await until(async () => (await control.pubsub("NUMSUB", keys.due()))[1] === count);
  };

  it("rings at the other replicas and not at its own", async () => {
    const [one, two, three] = [open(), open(), open()];
    await subscribers(3);
    one.channel.ring([hint("Widget", 5)]);
    await until(() => two.heard.length === 1 && three.heard.length === 1);
    expect(two.heard).toEqual([hint("Widget", 5)]);
    two.channel.ring([hint("Gadget")]);
    await until(() => one.heard.length === 1);
    expect(one.heard).toEqual([hint("Gadget")]);
  });

  it("tells the earliest time of a kind once while a message is in flight", async () => {
    const [one, two] = [open(), open()];
    await subscribers(2);
    one.channel.ring([hint("first")]);
    for (let i = 0; i < 1_000; i++) one.channel.ring([hint("Widget", 1_000 - i)]);
    await until(() => two.heard.length === 2);
    expect(two.heard).toEqual([hint("first"), hint("Widget", 1)]);
  });

  it("hears again after Redis came back, and survives ringing without it", async () => {
    const [one, two] = [open(), open()];
    await subscribers(2);
    await server.kill();
    one.channel.ring([hint("lost")]);
    await server.start();
    await subscribers(2);
    await until(() => {
      one.channel.ring([hint("Widget")]);
      return two.heard.some(({ kind }) => kind === "Widget");
    });
  });

  it("ignores messages that are not its own", async () => {
    const one = open();
    await subscribers(1);
    const control = server.client();
    for (const text of ["", "{", "null", '{"from":"x","hints":[{"kind":1}]}', '{"from":1}'])
      await control.publish(keys.due(), text);
    await control.publish(keys.due(), JSON.stringify({ from: "x", hints: [hint("Widget")] }));
    await until(() => one.heard.length > 0);
    expect(one.heard).toEqual([hint("Widget")]);
  });
});
