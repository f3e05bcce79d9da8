import { checkCount, checkDistinct, errorAt, validateInputAt } from "../../resource/apply-inputs.js";
import type { Outcome, ResourceInput } from "../../resource/command.js";
import type { Resource } from "../../resource/resource.js";
import { resourceSize } from "../log/change-size.js";
import { type BulkSink, type CommandResult, RunError } from "../store/store.js";

/** What became of one of many resources. */
interface Applied {
  readonly outcome: Outcome;
  readonly uid: string;
  readonly revision: bigint;
  readonly generation: bigint;
  /** After the apply, and before; undefined unless it was asked for and there was room. */
  readonly resource: Resource | undefined;
  readonly previous: Resource | undefined;
}

/** A run that was not written. */
export interface FailedRun {
  /** DomainError, or what nobody foresaw. */
  readonly error: unknown;
  readonly count: number;
}

/** What became of many resources: those of the runs that were written, in order, and the run that was not. */
export interface AppliedAll {
  readonly results: readonly Applied[];
  readonly failure: FailedRun | undefined;
}

/** Many resources as the edge has them, decoded one by one. */
export interface ResourceInputs {
  readonly count: number;
  readonly decode: (index: number) => ResourceInput;
}

/** How many resources are applied. */
export interface ApplyAllOptions {
  /** Payload bytes of the resources that come with the results; 0 for none. */
  readonly maxBytes: number;
  /** Nobody waits for the answer any more: what is not written yet is left. */
  readonly signal?: AbortSignal | undefined;
}

/** Resources that are decoded and checked in one turn of the event loop: about 5 ms, in which nobody else is served. */
const CHECKED_PER_TURN = 250;

/**
 * Applies many resources: all are checked before the first is written, then the sink writes them in runs. Rejects when nothing was
 * written, with what the first run was refused for.
 */
export async function applyAll(
  sink: BulkSink,
  inputs: ResourceInputs,
  { maxBytes, signal }: ApplyAllOptions,
): Promise<AppliedAll> {
  const checked = await checkAll(inputs);
  const results: Applied[] = [];
  let bytes = 0;
  try {
    for await (const run of sink.submitAll(checked.map((input) => ({ type: "apply", input })))) {
      for (const result of run) {
        // The first that does not fit is the last that is tried: those that come are the first ones.
        if (bytes <= maxBytes) bytes += sizeOf(result);
        results.push(appliedOf(result, bytes <= maxBytes && maxBytes > 0));
      }
      signal?.throwIfAborted();
    }
    return { results, failure: undefined };
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    const cause = error.refused === undefined ? error.cause : errorAt(error.refused, error.cause);
    if (results.length === 0) throw cause;
    return { results, failure: { error: cause, count: error.count } };
  }
}

function appliedOf({ outcome, resource, previous }: CommandResult, isWhole: boolean): Applied {
  if (resource === undefined) throw new Error(`apply ended as ${outcome} without a resource`);
  const { uid, revision, generation } = resource;
  const states = isWhole ? { resource, previous } : { resource: undefined, previous: undefined };
  return { outcome, uid, revision, generation, ...states };
}

function sizeOf({ resource, previous }: CommandResult): number {
  return (resource ? resourceSize(resource) : 0) + (previous ? resourceSize(previous) : 0);
}

async function checkAll({ count, decode }: ResourceInputs): Promise<ResourceInput[]> {
  checkCount(count);
  const inputs: ResourceInput[] = [];
  for (let index = 0; index < count; index++) {
    if (index > 0 && index % CHECKED_PER_TURN === 0) await new Promise(setImmediate);
    const input = decodeAt(index, decode);
    validateInputAt(index, input);
    inputs.push(input);
  }
  checkDistinct(inputs);
  return inputs;
}

function decodeAt(index: number, decode: ResourceInputs["decode"]): ResourceInput {
  try {
    return decode(index);
  } catch (error) {
    throw errorAt(index, error);
  }
}
