/** The oracles over one recording: what clients were told, held against the log. */
import { explainRefusals } from "./explain-refusals.js";
import { followRules, type Surroundings } from "./follow-rules.js";
import { judgeCached } from "./judge-cached.js";
import type { FaultWindow, Operation } from "./operation.js";
import { placeAnswers } from "./place-answers.js";
import { type LogEvent, Versions } from "./versions.js";
import { Windows } from "./windows.js";

/** Everything a run has left behind. */
export interface Recording extends Surroundings {
  readonly operations: readonly Operation[];
  /** The whole log of a store with one log, in its order. */
  readonly events: readonly LogEvent[];
  readonly faults: readonly FaultWindow[];
}

/** What contradicts the documents; empty when nothing does. Pure, and linear in the length of the recording. */
export function findViolations(recording: Recording): readonly string[] {
  const { operations, events, faults } = recording;
  const versions = new Versions(events);
  const windows = new Windows(versions);
  const placed = placeAnswers(operations, versions, windows);
  const unordered = windows.close();
  return [
    ...placed,
    ...unordered,
    ...explainRefusals(operations, windows, (kind) => versions.keysOf(kind)),
    ...followRules(operations, versions, windows, recording),
    ...judgeCached(operations, versions, windows, faults),
  ];
}
