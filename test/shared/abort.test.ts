import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { abortable } from "../../src/shared/abort.js";

const never = new Promise<never>(() => {});

describe("abortable", () => {
  test("settles as the promise does and leaves no listener behind", async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("rejects with the reason when the signal aborts, before or after the call", async () => {
    const controller = new AbortController();
    const waiting = abortable(never, controller.signal);
    controller.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    await expect(abortable(never, controller.signal)).rejects.toThrow("stop");
  });

  test("ignores a rejection that comes after the abort", async () => {
    const late = deferred();
    const controller = new AbortController();
    const waiting = abortable(late.promise, controller.signal);
    controller.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    late.reject(new Error("late"));
    await new Promise(setImmediate);
  });
});

function deferred() {
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<never>((_, no) => {
    reject = no;
  });
  return { promise, reject };
}
