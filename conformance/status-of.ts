import { toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { PassReport } from "../gen/reconcile/v1/reconciler_service_pb.js";
import { BrokenPromise } from "./check.js";

/** The status of a report, in whichever of the two forms it came. Throws BrokenPromise when it is no object. */
export function statusOf({ status, statusJson }: PassReport): Readonly<Record<string, unknown>> {
  const value: unknown = status === undefined ? readJson(statusJson) : toJson(ValueSchema, status);
  if (typeof value !== "object" || value === null) throw new BrokenPromise(`the status was ${JSON.stringify(value)}`);
  return value as Readonly<Record<string, unknown>>; // A JSON object, or an array, which has none of the names.
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BrokenPromise(text === "" ? "there was no status" : `the status was no JSON: ${text.slice(0, 80)}`);
  }
}
