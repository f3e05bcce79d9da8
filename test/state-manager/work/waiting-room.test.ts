import { expect, test } from "vitest";
import type { LeaseQuery, Look } from "../../../src/state-manager/work/lease-query.js";
import { WaitingRoom } from "../../../src/state-manager/work/waiting-room.js";
import { until } from "../../support/until.js";
import { registration } from "./open-work.js";

test("a report is not lost on a call whose look finds the session full a moment later", async () => {
  const answers: ((look: Look) => void)[] = [];
  const query = { look: () => new Promise<Look>((answer) => answers.push(answer)) };
  // The class has private members; the room's dispatchers call `look` only.
  const room = new WaitingRoom(query as unknown as LeaseQuery, () => {});
  const client = new AbortController();
  const waiting = room.wait({ ...registration(), sessionId: "a" }, 1, 60_000, client.signal);
  const first = await until(() => answers[0]);
  room.lookAgain("a");
  first({ type: "full" });
  const second = await until(() => answers[1]);
  second({ type: "leased", items: [] });
  expect(await waiting).toEqual([]);
});
