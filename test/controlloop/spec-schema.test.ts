import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { defineReconciler, done, type StandardSchema, TerminalError } from "../../src/controlloop/index.js";
import { parseBySchema } from "../../src/controlloop/spec-schema.js";

const definition = { name: "n", resourceGroup: "g", kind: "k" };

describe("a schema", () => {
  it("of zod gives the spec its type and its values", () => {
    const schema = z.object({ size: z.number(), color: z.string().default("red") });
    const reconciler = defineReconciler({
      ...definition,
      schema,
      reconcile: ({ spec }) => {
        expectTypeOf(spec).toEqualTypeOf<{ size: number; color: string }>();
        return done();
      },
    });
    expect(reconciler.parseSpec?.({ size: 1 })).toEqual({ size: 1, color: "red" });
    expect(() => reconciler.parseSpec?.({ size: "big" })).toThrow(/^spec\.size: .*number/);
  });

  it("names every issue and its path", () => {
    const issues = [{ message: "is too small", path: [{ key: "sizes" }, 2] }, { message: "is wrong" }];
    const schema: StandardSchema<never> = { "~standard": { version: 1, vendor: "test", validate: () => ({ issues }) } };
    expect(() => parseBySchema(schema, {})).toThrow("spec.sizes.2: is too small; spec: is wrong");
  });

  it("that answers with a promise is refused, whatever the promise does", () => {
    const validate = () => Promise.reject(new Error("later"));
    const schema: StandardSchema<never> = { "~standard": { version: 1, vendor: "test", validate } };
    expect(() => parseBySchema(schema, {})).toThrow(TerminalError);
  });

  it("and parseSpec are one too many", () => {
    const both = { ...definition, schema: z.string(), parseSpec: String, reconcile: () => done() };
    expect(() => defineReconciler(both)).toThrow("leave one of them out");
  });
});
