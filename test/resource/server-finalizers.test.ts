import { describe, expect, it } from "vitest";
import {
  FOREGROUND_FINALIZER as FOREGROUND,
  ORPHAN_FINALIZER as ORPHAN,
  patchFinalizers,
  propagationOf,
  replaceFinalizers,
  withHold,
} from "../../src/resource/server-finalizers.js";

describe("finalizers of the server", () => {
  it("are put on by nobody else", () => {
    expect(() => replaceFinalizers([], ["a", FOREGROUND])).toThrowError(/^finalizers\[1\] must not begin with/);
    expect(() => patchFinalizers([], [ORPHAN], [])).toThrowError(/^add_finalizers\[0\] must not begin with/);
    expect(() => replaceFinalizers([ORPHAN], [FOREGROUND])).toThrowError(/reconcile\.dev\/foreground/);
  });

  it("are kept whether they are sent back or left out", () => {
    expect(replaceFinalizers(["a", FOREGROUND], ["a", FOREGROUND])).toEqual(["a", FOREGROUND]);
    expect(replaceFinalizers(["a", FOREGROUND], ["b"])).toEqual(["b", FOREGROUND]);
    expect(replaceFinalizers([FOREGROUND], [])).toEqual([FOREGROUND]);
    expect(patchFinalizers(["a", FOREGROUND], ["b"], ["a", FOREGROUND])).toEqual([FOREGROUND, "b"]);
  });

  it("tell how the children are dealt with", () => {
    for (const propagation of ["BACKGROUND", "FOREGROUND", "ORPHAN"] as const) {
      expect(propagationOf(withHold(["a"], propagation))).toBe(propagation);
    }
    expect(withHold(["a"], "BACKGROUND")).toEqual(["a"]);
  });
});
