import { invalidField } from "../../resource/errors.js";
import { checkJsonText } from "../../resource/json-text.js";
import { ANNOTATIONS_MAX, CONDITIONS_MAX, FINALIZERS_MAX, LABELS_MAX } from "../../resource/limits.js";
import { checkAnnotation, checkFinalizers, checkLabel, checkName, checkText } from "../../resource/names.js";
import { checkGeneration, validateKey } from "../../resource/validate.js";
import { type ConditionUpdate, type PassReport, type PassResult, REQUEUE_MAX_MS } from "../../resource/work.js";

/** Characters of an error that are kept: enough for a message and the top of a stack. */
const ERROR_MAX_CHARACTERS = 4_096;

/** Characters of a condition's message. */
const MESSAGE_MAX_CHARACTERS = 4_096;

/**
 * Checks a report alone; whether it fits the stored resource is decided under its lock. Returns it with its error fit to be
 * stored. Throws INVALID_ARGUMENT naming the field.
 */
export function validateReport(report: PassReport): PassReport {
  validateKey(report.key);
  checkText("lease_token", report.leaseToken);
  checkGeneration("observed_generation", report.observedGeneration);
  if (report.result.type === "SUCCESS" && report.observedGeneration === undefined) {
    throw invalidField("observed_generation", "must be set with SUCCESS: the generation the pass worked on");
  }
  if (report.statusJson !== undefined) checkJsonText("status", report.statusJson);
  checkCount("conditions", report.conditions.length, CONDITIONS_MAX);
  for (const [i, condition] of report.conditions.entries()) checkCondition(`conditions[${i}]`, condition);
  checkCount("add_finalizers", report.addFinalizers.length, FINALIZERS_MAX);
  checkFinalizers("add_finalizers", report.addFinalizers);
  checkCount("remove_finalizers", report.removeFinalizers.length, FINALIZERS_MAX);
  checkFinalizers("remove_finalizers", report.removeFinalizers);
  // Twice the limit of a resource: a patch may replace all there are.
  checkCount("labels", report.labels.size, 2 * LABELS_MAX);
  for (const [key, value] of report.labels) checkLabel(key, value ?? "");
  checkCount("annotations", report.annotations.size, 2 * ANNOTATIONS_MAX);
  for (const [key, value] of report.annotations) checkAnnotation(key, value ?? "");
  return { ...report, result: validateResult(report.result) };
}

function validateResult(result: PassResult): PassResult {
  switch (result.type) {
    case "SUCCESS":
    case "RELEASE":
      return result;
    case "REQUEUE_AFTER":
      // A time that has passed means "now": between the pass's look at its clock and here it may pass.
      if (result.afterMs <= REQUEUE_MAX_MS) return { type: "REQUEUE_AFTER", afterMs: Math.max(1, result.afterMs) };
      throw invalidField("requeue_after", `must be at most 30 days with REQUEUE_AFTER (got ${result.afterMs} ms)`);
    case "ERROR":
      return { type: "ERROR", error: storable(result.error) };
  }
}

/** Reporting an error must not fail over what the error quotes: what cannot be stored is replaced, what is long is cut. */
function storable(error: string): string {
  const unicode = Buffer.from(error.slice(0, 2 * ERROR_MAX_CHARACTERS), "utf8").toString("utf8");
  return [...unicode.replaceAll("\0", "\uFFFD")].slice(0, ERROR_MAX_CHARACTERS).join("");
}

function checkCondition(field: string, condition: ConditionUpdate): void {
  checkName(`${field}.type`, condition.type);
  if (condition.reason !== "") checkName(`${field}.reason`, condition.reason);
  checkText(`${field}.message`, condition.message);
  if (condition.message.length > MESSAGE_MAX_CHARACTERS) {
    throw invalidField(
      `${field}.message`,
      `must be at most ${MESSAGE_MAX_CHARACTERS} characters long (got ${condition.message.length}); shorten it`,
    );
  }
}

function checkCount(field: string, count: number, max: number): void {
  if (count > max) throw invalidField(field, `must have at most ${max} entries (got ${count}); remove some`);
}
