/** What has to hold when a database lost its newest writes: of a backup that was put back, or of a standby that lagged. */
import { expect, onTestFinished } from "vitest";
import { PayloadEncoding } from "../../gen/reconcile/v1/resource_pb.js";
import { Consistency } from "../../gen/reconcile/v1/resource_service_pb.js";
import { connect } from "../../src/client/connect.js";
import { ApiError } from "../../src/client/index.js";
import { digest, type HistoryEvent } from "./history.js";
import type { LoadOptions } from "./load.js";
import { readWireResource } from "./observer.js";
import { until } from "./until.js";
import type { World } from "./world.js";

const PATIENT = { timeoutMs: 30_000 };

/** At least `count` writes; they may meet a database that is just coming back. */
export async function writeSome(world: World, options: Partial<LoadOptions>, count: number): Promise<void> {
  const load = world.load({ lanes: 8, ...options });
  await until(() => load.acknowledged.length >= count, PATIENT);
  await load.stop();
  expect(load.violations).toEqual([]);
  expect(load.contradictions(await world.history())).toEqual([]);
}

/** A resume token of the present. */
export async function tokenOf(world: World, url: string): Promise<string> {
  const observer = world.observe({ protocol: "connect", urls: [url] });
  await until(() => observer.isPlaced);
  await observer.stop();
  return observer.token;
}

/** Both protocols refuse the token as one of another history (I4). */
export async function expectForeign(world: World, url: string, token: string): Promise<void> {
  const rpc = world.observe({ protocol: "grpc", urls: [url], token });
  await until(() => rpc.refusal ?? rpc.seen.length > 0, PATIENT);
  expect(rpc.refusal).toEqual({ reason: "FOREIGN_TOKEN", code: "INVALID_ARGUMENT" });
  const sse = world.observe({ protocol: "sse", urls: [url], token });
  await until(() => sse.refusal ?? sse.seen.length > 0, PATIENT);
  expect(sse.refusal).toEqual({ reason: "", code: "status 400" });
}

/** Cached reads know nothing of the lost future any more: they say what strong ones say of everything there ever was. */
export async function expectTrueCache(url: string, events: readonly HistoryEvent[]): Promise<void> {
  const connection = connect(url);
  onTestFinished(() => connection.close());
  const keys = new Map(
    events.map(({ kind, name }) => [name, { resourceGroup: "load", kind, namespace: "default", name }]),
  );
  const read = async (consistency: Consistency) => {
    const answers = [...keys.values()].map((key) =>
      connection.resources.getResource({ key, consistency, payloadEncoding: PayloadEncoding.JSON }).then(
        ({ resource }) => resource && digest(readWireResource(resource)),
        (error: unknown) => ApiError.from(error).code,
      ),
    );
    return JSON.stringify(await Promise.all(answers));
  };
  const strong = await read(Consistency.STRONG);
  await until(async () => (await read(Consistency.CACHED)) === strong, {
    ...PATIENT,
    what: "cached reads tell the truth",
  });
}
