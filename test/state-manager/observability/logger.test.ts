import { describe, expect, test } from "vitest";
import { createLogger } from "../../../src/state-manager/observability/logger.js";

function capture() {
  const lines: string[] = [];
  return { lines, stream: { write: (line: string) => void lines.push(line) } };
}

describe("createLogger", () => {
  test("writes one JSON object per line with named levels and ISO times", () => {
    const { lines, stream } = capture();
    createLogger("info", stream).info({ batch: 3 }, "committed");
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      batch: 3,
      msg: "committed",
    });
  });

  test("leaves out what is below its level", () => {
    const { lines, stream } = capture();
    createLogger("warn", stream).info("quiet");
    expect(lines).toEqual([]);
  });

  test("keeps values that drivers hang on their errors out of the log", () => {
    const { lines, stream } = capture();
    const cause = Object.assign(new Error("reply"), { command: { args: ["s3cret"] } });
    const err = Object.assign(new Error("failed", { cause }), { code: "23505", detail: "s3cret" });
    createLogger("info", stream).error({ err }, "commit failed");
    expect(lines[0]).not.toContain("s3cret");
    expect(JSON.parse(lines[0] ?? "").err).toMatchObject({
      code: "23505",
      message: "failed",
      cause: { message: "reply" },
    });
  });
});
