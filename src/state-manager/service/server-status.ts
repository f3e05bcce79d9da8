import { VERSION } from "../../shared/version.js";
import type { CompatHealth } from "../compat/compat-streams.js";
import type { RedisAnswer } from "../redis-connection.js";
import type { StoreHealth } from "../store/store.js";
import type { ClockStep } from "../work/clock-watch.js";

/** Whether something the server stands on does its work. */
export interface DependencyStatus {
  readonly state: "OK" | "FAILING" | "DISABLED";
  /** What is wrong and what to do, without secrets; empty when nothing is. */
  readonly message: string;
  /** Empty when it does not answer. */
  readonly version: string;
  /** Undefined when there was no answer. */
  readonly roundTripMs: number | undefined;
}

/** The server that answers, and what it stands on. */
export interface ServerStatus {
  readonly version: string;
  readonly serverTime: Date;
  readonly startedAt: Date;
  readonly storeId: string;
  /** The newest schema migration this program knows. */
  readonly programSchema: number;
  /** Undefined while PostgreSQL does not answer. */
  readonly store: StoreHealth | undefined;
  readonly postgres: DependencyStatus;
  readonly redis: DependencyStatus;
  /** The streams of existing operators; DISABLED when the store does not want them. */
  readonly compatStreams: DependencyStatus;
  /** Undefined when PostgreSQL's clock was not seen to jump. */
  readonly clockStep: ClockStep | undefined;
}

/** What the status is asked of. */
export interface ServerStatusOptions {
  readonly storeId: string;
  readonly programSchema: number;
  readonly askStore: () => Promise<StoreHealth>;
  /** Undefined: the server does without Redis. */
  readonly askRedis: (() => Promise<RedisAnswer>) | undefined;
  /** Resolves with how the streams of existing operators are. */
  readonly askCompatStreams: () => Promise<CompatHealth>;
  /** The newest jump of the database clock that this server saw. */
  readonly clockStep: () => ClockStep | undefined;
}

/** A dependency that does not answer within this time is down for an operator's purposes. */
const ANSWER_MAX_MS = 2_000;

/** Makes the question "how are you": it asks PostgreSQL and Redis now, takes 2 s at most, and never rejects. */
export function serverStatus(options: ServerStatusOptions): () => Promise<ServerStatus> {
  const { storeId, programSchema, askStore, askRedis, askCompatStreams, clockStep } = options;
  const startedAt = new Date();
  return async () => {
    const [store, redis, compat] = await Promise.all([ask(askStore), askRedis && ask(askRedis), ask(askCompatStreams)]);
    return {
      version: VERSION,
      serverTime: new Date(),
      startedAt,
      storeId,
      programSchema,
      store: store.answer,
      postgres: statusOf(store, POSTGRES_ADVICE),
      redis: redis === undefined ? DISABLED : statusOf(redis, REDIS_ADVICE, `: ${REDIS_ADVICE}`),
      compatStreams: compatStatusOf(compat),
      clockStep: clockStep(),
    };
  };
}

const POSTGRES_ADVICE =
  "writes and reads fail until it is back; check that it runs and that DATABASE_URL names it, the log of this server says more";
const REDIS_ADVICE =
  "changes of other replicas arrive up to a second late, through PostgreSQL, until it works; check that it runs and that REDIS_URL names a primary";
const DISABLED: DependencyStatus = { state: "DISABLED", message: "", version: "", roundTripMs: undefined };

/** While PostgreSQL does not answer, its own status says so. */
function compatStatusOf({ answer }: Asked<CompatHealth>): DependencyStatus {
  if (!answer?.isOn) return DISABLED;
  const state = answer.problem === "" ? "OK" : "FAILING";
  return { state, message: answer.problem, version: "", roundTripMs: undefined };
}

/** An answer, or why there is none. */
interface Asked<T> {
  readonly answer: T | undefined;
  readonly problem: string;
  readonly tookMs: number;
}

async function ask<T>(question: () => Promise<T>): Promise<Asked<T>> {
  const askedAt = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_MAX_MS} ms`)), ANSWER_MAX_MS);
  });
  try {
    const answer = await Promise.race([question(), timeout]);
    return { answer, problem: "", tookMs: performance.now() - askedAt };
  } catch (error) {
    return { answer: undefined, problem: wordsOf(error), tookMs: performance.now() - askedAt };
  } finally {
    clearTimeout(timer);
  }
}

/** What the driver said, if it did: our own words about it are advice for callers. */
function wordsOf(error: unknown): string {
  const said = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return said instanceof Error && said.message !== "" ? said.message : "no answer";
}

/** A dependency may answer and yet not do what it is there for: then its answer says so, and `consequence` what follows. */
function statusOf(
  { answer, problem: silence, tookMs }: Asked<Pick<RedisAnswer, "version" | "problem">>,
  advice: string,
  consequence = "",
): DependencyStatus {
  if (answer === undefined)
    return { state: "FAILING", message: `${silence}: ${advice}`, version: "", roundTripMs: undefined };
  const { version, problem } = answer;
  if (problem === "") return { state: "OK", message: "", version, roundTripMs: tookMs };
  return { state: "FAILING", message: problem + consequence, version, roundTripMs: tookMs };
}
