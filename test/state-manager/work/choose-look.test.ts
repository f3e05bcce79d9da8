import { describe, expect, test } from "vitest";
import type { PeekRow } from "../../../src/state-manager/store/statements/lease-work.js";
import { type Choice, chooseLook } from "../../../src/state-manager/work/choose-look.js";

const IDLE: PeekRow = {
  room: 5,
  leases: 0,
  is_kind_limited: false,
  kind_room: null,
  tokens: null,
  passes_per_second: 0,
  ready: [],
  scheduled_in_ms: null,
  struck_in_ms: null,
  must_drain: false,
};
const READY = { ready: [0] } as const;
const STRUCK = { struck_in_ms: -1 };

describe("chooseLook", () => {
  const cases: [string, Partial<PeekRow>, Choice][] = [
    ["nothing is queued", {}, { type: "nothing", nextInMs: undefined }],
    ["the next item is scheduled", { scheduled_in_ms: 7, struck_in_ms: 9 }, { type: "nothing", nextInMs: 7 }],
    ["items are ready", READY, { type: "turns" }],
    ["a scheduled item has come due", { scheduled_in_ms: 0 }, { type: "turns" }],
    ["the session is full", { ...READY, room: 0 }, { type: "full" }],
    ["the kind is full", { ...READY, kind_room: 0 }, { type: "nothing", nextInMs: undefined }],
    [
      "the kind is over its limit, which was lowered",
      { ...READY, kind_room: -2 },
      { type: "nothing", nextInMs: undefined },
    ],
    ["half a token is left", { ...READY, tokens: 0.5, passes_per_second: 2 }, { type: "throttled", nextInMs: 250 }],
    ["a whole token is left", { ...READY, tokens: 1, passes_per_second: 2 }, { type: "turns" }],
    [
      "no token is left, but nothing is due",
      { tokens: 0, passes_per_second: 2 },
      { type: "nothing", nextInMs: undefined },
    ],
    ["a struck item is due, its hands are empty", { ...READY, ...STRUCK }, { type: "solo" }],
    ["a struck item is due, and its hands are not empty", { ...READY, ...STRUCK, leases: 1 }, { type: "turns" }],
    [
      "only a struck item is due, and its hands are not empty",
      { ...STRUCK, leases: 1, scheduled_in_ms: 3 },
      { type: "waits", nextInMs: 3 },
    ],
    ["it has to drain", { ...READY, ...STRUCK, leases: 1, must_drain: true }, { type: "waits", nextInMs: undefined }],
  ];
  test.each(cases)("when %s", (_, peek, choice) => {
    expect(chooseLook({ ...IDLE, ...peek }, false)).toEqual(choice);
  });

  test("after a struck item others come first, when there are any", () => {
    expect(chooseLook({ ...IDLE, ...READY, ...STRUCK }, true)).toEqual({ type: "turns" });
    expect(chooseLook({ ...IDLE, ...STRUCK }, true)).toEqual({ type: "solo" });
  });
});
