import { isScalar, type Scalar } from "yaml";

/** The JSON of a YAML scalar, or what to write instead of it. */
export type ScalarJson = { readonly json: string } | { readonly problem: string };

/**
 * The JSON text of a scalar, exactly. What YAML has and JSON does not, and what readers of YAML take for different values, is
 * a problem, never a guess. `tag` is allowed already (`tagProblem`).
 */
export function scalarJson(node: Scalar): ScalarJson {
  const { value } = node;
  if (value === null || value === undefined) return { json: "null" };
  if (typeof value === "string") return { json: JSON.stringify(value) };
  if (typeof value === "boolean") return { json: String(value) };
  if (value instanceof Date) return { problem: `a time is text in JSON: quote it ("${shown(node)}")` };
  return numberJson(shown(node));
}

/** The key of a member. JSON's keys are strings; a whole number can only mean its own digits. */
export function keyText(node: unknown): { readonly key: string } | { readonly problem: string } {
  if (!isScalar(node)) return { problem: "a key must be a string, not a list or a mapping" };
  if (typeof node.value === "string") return { key: node.value };
  const text = shown(node);
  if (WHOLE_NUMBER.test(text) && typeof node.value !== "boolean") return { key: text };
  return { problem: `a key must be a string (got ${text || "nothing"}); quote it` };
}

/** Why a node's tag keeps it from having a JSON form; undefined when it does not. */
export function tagProblem(tag: string | undefined): string | undefined {
  if (tag === undefined || tag === "!") return undefined;
  const name = tag.startsWith(YAML_TAG) ? `!!${tag.slice(YAML_TAG.length)}` : tag;
  if (JSON_TAGS.has(name)) return undefined;
  return `${name} has no JSON form; ${ADVICE.get(name) ?? "remove the tag"}`;
}

function numberJson(text: string): ScalarJson {
  if (JSON_NUMBER.test(text)) return { json: text };
  if (/^[-+]?0[0-9]/.test(text)) return { problem: leadingZero(text) };
  if (/^0[xo]/.test(text)) return { json: String(BigInt(text)) };
  const decimal = /^([-+]?)([0-9]*)(?:\.([0-9]*))?((?:[eE][-+]?[0-9]+)?)$/.exec(text);
  if (decimal === null) {
    return { problem: `${text} has no JSON form; write a number in decimal digits, or quote it when it is text` };
  }
  const [, sign, whole, fraction, exponent] = decimal; // +1, .5 and 1. are JSON but for their ends
  return { json: `${sign === "-" ? "-" : ""}${whole || "0"}${fraction ? `.${fraction}` : ""}${exponent}` };
}

/** YAML 1.1, and so Kubernetes, reads 0644 as 420; YAML 1.2 as 644. */
function leadingZero(text: string): string {
  const sign = /^[-+]/.exec(text)?.[0] ?? "";
  const digits = text.slice(sign.length);
  const decimal = `${sign === "-" ? "-" : ""}${digits.replace(/^0+(?=[0-9])/, "")}`;
  if (!/^0+[1-7][0-7]+$/.test(digits)) {
    return `a number must not begin with 0 (got ${text}); write ${decimal}, or quote it when it is text`;
  }
  const octal = `${sign === "-" ? "-" : ""}${Number.parseInt(digits, 8)}`;
  const meanings = `write ${octal}${sign === "" ? ` or 0o${decimal}` : ""} for the octal number, ${decimal} for the decimal one`;
  return `${text} is octal to some readers of YAML and decimal to others; ${meanings}, or quote it when it is text`;
}

function shown({ source, value }: Scalar): string {
  return source ?? String(value);
}

const YAML_TAG = "tag:yaml.org,2002:";
const JSON_TAGS = new Set(["!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq"]);
const ADVICE: ReadonlyMap<string, string> = new Map([
  ["!!set", "write a list: [x, y]"],
  ["!!omap", "write a mapping, or a list of mappings when their order matters"],
  ["!!pairs", "write a list of mappings"],
  ["!!binary", "remove the tag, then the base64 text is a string"],
  ["!!timestamp", "write the time as a string, in quotes"],
]);
const WHOLE_NUMBER = /^-?(?:0|[1-9][0-9]*)$/;
const JSON_NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
