import type { Logger } from "pino";

/** Whether the server can serve, and what is wrong when it cannot; words for operators, without secrets. */
export interface Readiness {
  readonly ok: boolean;
  readonly problems: readonly string[];
  /** What does not work and is not needed to serve. */
  readonly notes?: readonly string[];
}

/** Asks every dependency. */
export type ReadinessCheck = () => Promise<Readiness>;

/** A dependency that does not answer a probe within this time is down for its purposes. */
const CHECK_TIMEOUT_MS = 2_000;
/** Probes within this time share an answer, so that they cost nothing however many ask. */
const CHECK_MAX_AGE_MS = 250;

/** Asks at most once per 250 ms, waits at most 2 s, and never rejects: a check that fails is a problem. */
export class HealthCheck {
  readonly #check: ReadinessCheck;
  readonly #logger: Logger;
  #latest: Promise<Readiness> | undefined;
  #askedAt = 0;

  constructor(check: ReadinessCheck, logger: Logger) {
    this.#check = check;
    this.#logger = logger;
  }

  readiness(): Promise<Readiness> {
    const now = performance.now();
    if (this.#latest === undefined || now - this.#askedAt > CHECK_MAX_AGE_MS) {
      this.#askedAt = now;
      this.#latest = this.#ask();
    }
    return this.#latest;
  }

  async #ask(): Promise<Readiness> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<Readiness>((resolve) => {
      const problem = `no answer from the dependencies within ${CHECK_TIMEOUT_MS} ms`;
      timer = setTimeout(() => resolve({ ok: false, problems: [problem] }), CHECK_TIMEOUT_MS);
    });
    try {
      return await Promise.race([this.#check(), timeout]);
    } catch (error) {
      this.#logger.error({ err: error }, "readiness check failed");
      return { ok: false, problems: ["the readiness check failed; see the log"] };
    } finally {
      clearTimeout(timer);
    }
  }
}
