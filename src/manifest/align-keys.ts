import { isLosslessNumber } from "lossless-json";

/** `value` with the keys of its objects in the order of those of `like`, new ones last: a diff of both shows what differs only. */
export function alignKeys(value: unknown, like: unknown): unknown {
  if (Array.isArray(value)) return value.map((each, i) => alignKeys(each, Array.isArray(like) ? like[i] : undefined));
  if (!isRecord(value)) return value;
  const order = isRecord(like) ? like : {};
  const keys = new Set([...Object.keys(order).filter((key) => Object.hasOwn(value, key)), ...Object.keys(value)]);
  return Object.fromEntries([...keys].map((key) => [key, alignKeys(value[key], order[key])]));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isLosslessNumber(value);
}
