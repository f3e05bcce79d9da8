import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { KindRef } from "../../../src/resource/key.js";
import type { Database } from "../../../src/state-manager/store/database.js";
import { Pulse } from "../../../src/state-manager/work/pulse.js";

const WIDGET: KindRef = { resourceGroup: "apps", kind: "Widget" };

let beats: number;
let waiting: KindRef[];
let pulse: Pulse;

beforeEach(() => {
  vi.useFakeTimers();
  beats = 0;
  waiting = [];
  const query = () => {
    beats += 1;
    return Promise.resolve([]);
  };
  pulse = new Pulse({ query } as unknown as Database, {
    waitingKinds: () => waiting,
    onDue: () => {},
    onExpired: () => Promise.resolve(),
    onSweepDue: () => {},
    onQuarantined: () => Promise.resolve(),
    onCollectionDue: () => {},
    onClock: () => {},
    onBeat: () => Promise.resolve(Number.POSITIVE_INFINITY),
    onError: (error) => {
      throw error;
    },
  });
  pulse.start();
});
afterEach(async () => {
  await pulse.stop();
  vi.useRealTimers();
});

async function beatsIn(ms: number): Promise<number> {
  const before = beats;
  await vi.advanceTimersByTimeAsync(ms);
  return beats - before;
}

test("beats every 10 s while no Lease call waits, every 5 s while one does", async () => {
  expect(await beatsIn(0)).toBe(1);
  expect(await beatsIn(60_000)).toBe(6);
  waiting = [WIDGET];
  pulse.wake();
  expect(await beatsIn(60_000)).toBe(12);
});

test("a call that begins to wait just after a beat is not left to the next one at rest", async () => {
  await beatsIn(1_000);
  waiting = [WIDGET];
  pulse.wake();
  expect(await beatsIn(4_999)).toBe(0);
  expect(await beatsIn(1)).toBe(1);
});

test("calls that keep coming do not put the beat off", async () => {
  await beatsIn(0);
  let seen = 0;
  for (let i = 0; i < 6; i++) {
    pulse.wake();
    seen += await beatsIn(1_000);
  }
  expect(seen).toBe(1);
});
