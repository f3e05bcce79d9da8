import { describe, expect, test } from "vitest";
import { conditionsText, isUnready, setConditions } from "../../src/resource/conditions.js";
import type { ConditionUpdate } from "../../src/resource/work.js";

const ready: ConditionUpdate = { type: "Ready", status: "True", reason: "Done", message: 'all "good"' };
const early = new Date("2026-01-01T00:00:00.000Z");
const late = new Date("2026-01-02T00:00:00.000Z");
const readyText = (generation: number, time = early) =>
  `{"type":"Ready","status":"True","reason":"Done","message":"all \\"good\\"","observedGeneration":${generation},"lastTransitionTime":"${time.toISOString()}"}`;

describe("setConditions", () => {
  test.each([null, "null", " null ", "{}"])("starts from %j", (status) => {
    expect(setConditions(status, [ready], 1n, early)).toBe(`{"conditions":[${readyText(1)}]}`);
  });

  test("keeps every other byte of the status", () => {
    const before = ' { "big" : 12345678901234567890, "conditions" : [ {"type":"Other", "x":1.0} ] , "pi":3.140 }\n';
    expect(setConditions(before, [ready], 2n, early)).toBe(
      ` { "big" : 12345678901234567890, "conditions" : [ {"type":"Other", "x":1.0},${readyText(2)} ] , "pi":3.140 }\n`,
    );
    expect(setConditions('{"a":1 }', [ready], 1n, early)).toBe(`{"a":1,"conditions":[${readyText(1)}] }`);
  });

  test("changes nothing when the same is said again, whatever else the condition holds", () => {
    const before = `{"conditions":[{"extra":1e2,${readyText(7).slice(1)}]}`;
    expect(setConditions(before, [ready], 7n, late)).toBe(before);
  });

  test("moves the transition time only when the status changes", () => {
    const before = setConditions(null, [ready], 1n, early);
    expect(setConditions(before, [ready], 2n, late)).toBe(`{"conditions":[${readyText(2, early)}]}`);
    const failed = setConditions(before, [{ ...ready, status: "False" }], 1n, late);
    expect(JSON.parse(failed).conditions[0]).toMatchObject({ status: "False", lastTransitionTime: late.toISOString() });
  });

  test("keeps the time from the status it replaces", () => {
    const previous = setConditions('{"phase":"old"}', [ready], 1n, early);
    expect(setConditions('{"phase":"new"}', [ready], 2n, late, previous)).toBe(
      `{"phase":"new","conditions":[${readyText(2, early)}]}`,
    );
    expect(setConditions("{}", [{ ...ready, status: "Unknown" }], 2n, late, previous)).toContain(late.toISOString());
    for (const useless of ["[]", "1", '{"conditions":{}}', '{"conditions":[1,{"type":"Ready"}]}']) {
      expect(setConditions("{}", [ready], 1n, late, useless)).toBe(`{"conditions":[${readyText(1, late)}]}`);
    }
  });

  test("applies several in order, the last of one type counting", () => {
    const text = setConditions(null, [{ ...ready, status: "False" }, { ...ready, type: "Synced" }, ready], 1n, early);
    expect(JSON.parse(text).conditions.map((c: ConditionUpdate) => [c.type, c.status])).toEqual([
      ["Ready", "True"],
      ["Synced", "True"],
    ]);
  });

  test("writes 64-bit generations exactly and finds types that are written with escapes", () => {
    const before = '{"conditions":[{"type":"\\u0052eady","status":"False"}]}';
    const text = setConditions(before, [ready], 9007199254740993n, early);
    expect(text).toBe(`{"conditions":[${readyText(1).replace('Generation":1', 'Generation":9007199254740993')}]}`);
  });

  test("sets the last of duplicate members, the one a parser sees", () => {
    expect(setConditions('{"conditions":[],"conditions":null}', [ready], 1n, early)).toBe(
      `{"conditions":[],"conditions":[${readyText(1)}]}`,
    );
  });

  test("leaves the status alone when there is nothing to set", () => {
    expect(setConditions("[1]", [], 1n, early)).toBe("[1]");
  });

  test("refuses a status or conditions of another shape", () => {
    expect(() => setConditions("[]", [ready], 1n, early)).toThrow("conditions need a status that is a JSON object");
    expect(() => setConditions('{"conditions":{}}', [ready], 1n, early)).toThrow("status.conditions must be an array");
  });
});

describe("what a table shows of a status", () => {
  test.each([
    [null, undefined],
    ["7", undefined],
    ['{"phase":"up"}', undefined],
    ['{"conditions":[ ]}', undefined],
    ['{"conditions":null}', undefined],
    ['{"a":{"conditions":[1]},"conditions":[{"type":"Ready","n":1e400}]}', '[{"type":"Ready","n":1e400}]'],
  ])("of %j the conditions are %j", (status, conditions) => {
    expect(conditionsText(status)).toBe(conditions);
  });

  const withReady = (status: string) => `{"conditions":[{"type":"Other","status":"False"},{"type":"Ready"${status}}]}`;
  test.each([
    [null, false],
    ['"Ready"', false],
    ['{"note":"\\"Ready\\"","conditions":[{"type":"Other","status":"False"}]}', false],
    [withReady(',"status":"True"'), false],
    [withReady(',"status":"False"'), true],
    [withReady(',"status":"Unknown"'), true],
    [withReady(',"status":true'), true],
    [withReady(""), true],
  ])("%j is unready: %j", (status, expected) => {
    expect(isUnready(status)).toBe(expected);
  });
});
