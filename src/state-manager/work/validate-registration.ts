import { DomainError, invalidField } from "../../resource/errors.js";
import { type KindRef, kindId } from "../../resource/key.js";
import { checkName } from "../../resource/names.js";
import { checkNoServerFinalizer } from "../../resource/server-finalizers.js";
import type { Registration } from "./work-service.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const KINDS_MAX = 64;
const SHARDS_MAX = 1_000;
const PASSES_MAX = 1_000_000;
const KIND_CONCURRENCY_MAX = 100_000;

/** Durations with a default: how the field is called, its range in milliseconds (inclusive) and the value when unset. */
const DURATIONS = {
  leaseDurationMs: { field: "lease_duration", min: SECOND, max: 10 * MINUTE, unset: 30 * SECOND },
  backoffBaseMs: { field: "backoff_base", min: 1, max: HOUR, unset: 5 },
  backoffMaxMs: { field: "backoff_max", min: 1, max: DAY, unset: 1_000 * SECOND },
  resyncPeriodMs: { field: "resync_period", min: SECOND, max: 7 * DAY, unset: 10 * MINUTE },
  passDeadlineMs: { field: "pass_deadline", min: 100, max: DAY, unset: 5 * MINUTE },
} as const;
type DurationName = keyof typeof DURATIONS;

/** The request of Register: undefined stands for "not set", and 0 for "no limit". */
export type RegistrationRequest = Omit<Registration, DurationName | "concurrency"> & {
  readonly [name in DurationName | "concurrency"]: number | undefined;
};

/**
 * Fills in the defaults that reconciler_service.proto names and checks the ranges. Throws one INVALID_ARGUMENT that names
 * every problem: a worker is configured by hand, and hands like to fix all at once.
 */
export function validateRegistration(request: RegistrationRequest): Registration {
  const problems = new Problems();
  problems.collect(() => checkName("name", request.name));
  problems.collect(() => checkName("instance_id", request.instanceId));
  if (request.language !== "") problems.collect(() => checkName("language", request.language));
  if (request.finalizer !== "") problems.collect(() => checkName("finalizer", request.finalizer));
  problems.collect(() => checkNoServerFinalizer("finalizer", request.finalizer));
  problems.collect(() => checkLength("kinds", request.kinds.length, 1, KINDS_MAX));
  const seen = new Set<string>();
  for (const [i, kind] of request.kinds.entries()) problems.collect(() => checkKind(`kinds[${i}]`, kind, seen));
  problems.collect(() => checkLength("shard_ids", request.shardIds.length, 0, SHARDS_MAX));
  for (const [i, shard] of request.shardIds.entries()) problems.collect(() => checkName(`shard_ids[${i}]`, shard));
  const concurrency = request.concurrency ?? 16;
  problems.collect(() => checkWhole("concurrency", concurrency, 1_000));
  const { passesPerSecond, kindConcurrency } = request;
  problems.collect(() => checkPassesPerSecond(passesPerSecond));
  if (request.burst !== 0) problems.collect(() => checkBurst(request));
  if (kindConcurrency !== 0)
    problems.collect(() => checkWhole("kind_concurrency", kindConcurrency, KIND_CONCURRENCY_MAX));
  const duration = (name: DurationName) => {
    const valueMs = request[name] ?? DURATIONS[name].unset;
    problems.collect(() => checkDuration(name, valueMs));
    return Math.round(valueMs);
  };
  const backoffBaseMs = duration("backoffBaseMs");
  // A base above the default maximum raises it: only a maximum that was asked for can contradict the base.
  const backoffMaxMs =
    request.backoffMaxMs === undefined
      ? Math.max(backoffBaseMs, DURATIONS.backoffMaxMs.unset)
      : duration("backoffMaxMs");
  if (backoffMaxMs < backoffBaseMs) {
    problems.collect(() => {
      throw invalidField(
        "backoff_max",
        `must be at least backoff_base (got ${backoffMaxMs} ms and ${backoffBaseMs} ms)`,
      );
    });
  }
  const registration = {
    ...request,
    concurrency,
    burst: passesPerSecond === 0 ? 0 : request.burst || Math.ceil(passesPerSecond),
    backoffBaseMs,
    backoffMaxMs,
    leaseDurationMs: duration("leaseDurationMs"),
    resyncPeriodMs: duration("resyncPeriodMs"),
    passDeadlineMs: duration("passDeadlineMs"),
  };
  problems.throwIfAny();
  return registration;
}

function checkKind(field: string, kind: KindRef, seen: Set<string>): void {
  checkName(`${field}.resource_group`, kind.resourceGroup);
  checkName(`${field}.kind`, kind.kind);
  if (seen.has(kindId(kind))) throw invalidField(field, "must not repeat another entry; remove it");
  seen.add(kindId(kind));
}

function checkLength(field: string, count: number, min: number, max: number): void {
  if (count < min) throw invalidField(field, `must have at least ${min} entry`);
  if (count > max) throw invalidField(field, `must have at most ${max} entries (got ${count}); remove some`);
}

function checkWhole(field: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw invalidField(field, `must be 1 to ${max} (got ${value})`);
}

function checkPassesPerSecond(passes: number): void {
  if (passes === 0 || (passes >= 0.001 && passes <= PASSES_MAX)) return;
  throw invalidField("passes_per_second", `must be 0 for no limit, or 0.001 to ${PASSES_MAX} (got ${passes})`);
}

function checkBurst({ burst, passesPerSecond }: RegistrationRequest): void {
  checkWhole("burst", burst, PASSES_MAX);
  if (passesPerSecond === 0) throw invalidField("burst", "must come with passes_per_second; set that too, or neither");
}

function checkDuration(name: DurationName, valueMs: number): void {
  const { field, min, max } = DURATIONS[name];
  if (valueMs >= min && valueMs <= max) return;
  throw invalidField(field, `must be ${min} ms to ${max} ms (got ${valueMs} ms)`);
}

/** Gathers what is wrong instead of stopping at the first problem. */
class Problems {
  readonly #errors: DomainError[] = [];

  collect(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      this.#errors.push(error);
    }
  }

  throwIfAny(): void {
    const [first] = this.#errors;
    if (first === undefined) return;
    throw invalidRegistration(first.field, this.#errors.map((error) => error.message).join("; "));
  }
}

function invalidRegistration(field: string, message: string): DomainError {
  return new DomainError("INVALID_ARGUMENT", "INVALID_FIELD", message, { field });
}
