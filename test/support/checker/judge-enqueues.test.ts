import { expect, it } from "vitest";
import type { AuditRow } from "../lease-audit.js";
import { judgeEnqueues } from "./judge-enqueues.js";
import type { EnqueueCall } from "./operation.js";
import type { LogEvent } from "./versions.js";

const enqueue: EnqueueCall = {
  ...{ type: "enqueue", key: "load/job/default/job-1", client: 0, replica: 0, invokedAt: 1_000, completedAt: 1_010 },
  outcome: { type: "done" },
};

function taken(at: number): AuditRow {
  return { name: "job-1", token: "t", instance: "i", change: "taken", at: performance.timeOrigin + at };
}

it("an accepted Enqueue is followed by a pass, unless the resource goes away", () => {
  const gone = [{ key: enqueue.key, type: "DELETED" } as LogEvent];
  expect(judgeEnqueues([enqueue], [taken(2_000)], [])).toEqual([]);
  expect(judgeEnqueues([enqueue], [taken(500)], gone)).toEqual([]);
  expect(judgeEnqueues([enqueue], [taken(500)], []).join()).toMatch(/was not followed by a pass/);
});
