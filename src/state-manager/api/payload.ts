import { create, fromJson } from "@bufbuild/protobuf";
import { NullValue, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { invalidField } from "../../resource/errors.js";
import { memberPath } from "../../resource/json-path.js";

/**
 * The JSON text of a payload that came as `google.protobuf.Value` or as text; null when neither is set, or when it is null.
 *
 * Throws INVALID_FIELD naming both fields when both are set, and the path of a value JSON does not have (NaN, Infinity).
 */
export function payloadText(field: string, value: Value | undefined, text: string): string | null {
  if (value === undefined) return text === "" || text === "null" ? null : text;
  if (text !== "") throw invalidField(field, `and ${field}_json must not both be set; send one of them`);
  return value.kind.case === "nullValue" ? null : valueText(field, value);
}

/** The `google.protobuf.Value` of a stored JSON text; numbers become doubles. */
export function payloadValue(text: string | null): Value {
  if (text === null) return create(ValueSchema, { kind: { case: "nullValue", value: NullValue.NULL_VALUE } });
  return fromJson(ValueSchema, JSON.parse(text));
}

function valueText(path: string, { kind }: Value): string {
  switch (kind.case) {
    case "structValue": {
      const members = Object.entries(kind.value.fields).map(
        ([key, member]) => `${JSON.stringify(key)}:${valueText(memberPath(path, key), member)}`,
      );
      return `{${members.join(",")}}`;
    }
    case "listValue":
      return `[${kind.value.values.map((element, i) => valueText(`${path}[${i}]`, element)).join(",")}]`;
    case "numberValue":
      // What JSON.parse makes of 1e400, so the words are those of the checks of JSON text.
      if (Math.abs(kind.value) === Number.POSITIVE_INFINITY)
        throw invalidField(path, `must be within double range (got ${kind.value})`);
      if (Number.isNaN(kind.value)) throw invalidField(path, "must be a number (got NaN)");
      return Object.is(kind.value, -0) ? "-0" : String(kind.value);
    case "stringValue":
      return JSON.stringify(kind.value);
    case "boolValue":
      return kind.value ? "true" : "false";
    case "nullValue":
      return "null";
    case undefined:
      throw invalidField(path, "must be set to a value: null, a boolean, number, string, list or struct");
  }
}
