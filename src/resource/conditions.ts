import { invalidField } from "./errors.js";
import { elementSpans, memberSpans, rawFields, type Span } from "./json-text.js";
import type { ConditionUpdate } from "./work.js";

/**
 * Sets conditions by type in the `conditions` array of a status, and touches no other byte of the text: numbers that no
 * double holds survive. A condition that says the same already is left as it is, so setting twice changes nothing. Of two
 * stored conditions of one type the first counts.
 *
 * `lastTransitionTime` becomes `now` when `status` changes and is kept otherwise. `previousJson` is the status that
 * `statusJson` replaces in the same write, if it does: a condition that is new in `statusJson` takes its time from there.
 * Otherwise a reconciler that writes its whole status on every pass would change that time on every pass.
 *
 * Both texts must be valid JSON. Throws INVALID_ARGUMENT when the status is not an object (null is an empty one) or its
 * `conditions` not an array.
 */
export function setConditions(
  statusJson: string | null,
  updates: readonly ConditionUpdate[],
  observedGeneration: bigint,
  now: Date,
  previousJson: string | null = null,
): string {
  const status = isNull(statusJson) ? "{}" : statusJson;
  if (updates.length === 0) return status;
  if (!startsWith(status, "{")) throw invalidField("conditions", "need a status that is a JSON object; write one");
  const place = findConditions(status);
  const stored = place === undefined ? "null" : textAt(status, place);
  if (!isNull(stored) && !startsWith(stored, "[")) {
    throw invalidField(
      "status.conditions",
      "must be an array for a condition to be set; write it as one, or leave it out",
    );
  }
  const previous = storedConditions(previousJson);
  let conditions = isNull(stored) ? "[]" : stored;
  for (const update of updates) {
    const old = findCondition(conditions, update.type);
    if (old !== undefined && saysTheSame(old.fields, update, observedGeneration)) continue;
    const known = (old ?? findCondition(previous, update.type))?.fields;
    const text = render(update, observedGeneration, transitionTime(known, update, now));
    conditions = old === undefined ? append(conditions, elementSpans(conditions), text) : splice(conditions, old, text);
  }
  return place === undefined
    ? append(status, memberSpans(status), `"conditions":${conditions}`)
    : splice(status, place, conditions);
}

/** The `status` of the condition of that type; undefined when the status has none. The text must be valid JSON. */
export function conditionStatus(statusJson: string | null, type: string): unknown {
  return parse(findCondition(storedConditions(statusJson), type)?.fields.get("status"));
}

/** The text of the `conditions` array of a status; undefined when there is none. The status must be valid JSON. */
export function conditionsText(statusJson: string | null): string | undefined {
  const text = storedConditions(statusJson);
  return elementSpans(text).length === 0 ? undefined : text;
}

/**
 * Whether a status has a condition `Ready` that is not "True". The text must be valid JSON. On the way of every report, so most
 * texts are not even parsed, and the others natively: five times cheaper than by spans, and no byte has to survive here.
 */
export function isUnready(statusJson: string | null): boolean {
  if (statusJson === null || !statusJson.includes('"Ready"')) return false;
  const conditions: unknown = JSON.parse(statusJson)?.conditions;
  const ready = Array.isArray(conditions) ? conditions.find((condition) => condition?.type === "Ready") : undefined;
  return ready !== undefined && ready.status !== "True";
}

/** The raw texts of a condition's members. */
type Fields = ReadonlyMap<string, string>;

function findConditions(status: string): Span | undefined {
  return memberSpans(status).findLast(({ key }) => key === "conditions");
}

function storedConditions(statusJson: string | null): string {
  const place = statusJson !== null && startsWith(statusJson, "{") ? findConditions(statusJson) : undefined;
  const text = statusJson === null || place === undefined ? "[]" : textAt(statusJson, place);
  return startsWith(text, "[") ? text : "[]";
}

function findCondition(conditions: string, type: string): (Span & { readonly fields: Fields }) | undefined {
  for (const span of elementSpans(conditions)) {
    const text = textAt(conditions, span);
    if (!startsWith(text, "{")) continue;
    const fields = rawFields(text);
    if (parse(fields.get("type")) === type) return { ...span, fields };
  }
  return undefined;
}

function saysTheSame(fields: Fields, update: ConditionUpdate, observedGeneration: bigint): boolean {
  return (
    parse(fields.get("status")) === update.status &&
    parse(fields.get("reason")) === update.reason &&
    parse(fields.get("message")) === update.message &&
    fields.get("observedGeneration") === String(observedGeneration) &&
    fields.has("lastTransitionTime")
  );
}

function transitionTime(known: Fields | undefined, update: ConditionUpdate, now: Date): string {
  const time = parse(known?.get("status")) === update.status ? parse(known?.get("lastTransitionTime")) : undefined;
  return typeof time === "string" ? time : now.toISOString();
}

/** As text, because `observedGeneration` is 64 bits wide. */
function render(update: ConditionUpdate, observedGeneration: bigint, lastTransitionTime: string): string {
  const { type, status, reason, message } = update;
  const head = JSON.stringify({ type, status, reason, message });
  return `${head.slice(0, -1)},"observedGeneration":${observedGeneration},"lastTransitionTime":${JSON.stringify(lastTransitionTime)}}`;
}

/** Puts `item` behind the last of `items`, or directly behind the opening bracket. */
function append(text: string, items: readonly Span[], item: string): string {
  const last = items.at(-1);
  const at = last?.end ?? text.search(/[[{]/) + 1;
  return splice(text, { start: at, end: at }, last === undefined ? item : `,${item}`);
}

function splice(text: string, { start, end }: Span, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

function textAt(text: string, { start, end }: Span): string {
  return text.slice(start, end);
}

function startsWith(json: string, bracket: "{" | "["): boolean {
  return json.trimStart().startsWith(bracket);
}

function isNull(json: string | null): json is null | "null" {
  return json === null || json.trim() === "null";
}

function parse(raw: string | undefined): unknown {
  return raw === undefined ? undefined : JSON.parse(raw);
}
