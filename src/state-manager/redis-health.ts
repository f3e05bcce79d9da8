import type { Logger } from "pino";

/**
 * What the server needs Redis for. Each use is judged by whether it works: a Redis that answers PING may refuse all the others (a
 * read-only replica, `maxmemory` with `noeviction`, an ACL).
 */
export type RedisUse = "connect" | "append" | "follow" | "read" | "notify" | "listen" | "cache";

/** Something that Redis does not do. */
export interface RedisProblem {
  readonly use: RedisUse;
  readonly error: Error;
}

/** How often uses are tried that fail, and the append while nothing is written, in milliseconds. */
const CHECK_INTERVAL_MS = 2_000;

/** The messages of the log, in the order in which problems are listed. Connections log their outages themselves. */
const USES: Readonly<Record<RedisUse, { readonly fails: string; readonly works?: string }>> = {
  connect: { fails: "redis is not connected" },
  append: {
    fails: "change streams cannot be written; writes no longer wait for them",
    works: "change streams are written again",
  },
  follow: { fails: "change streams cannot be followed", works: "change streams are followed again" },
  read: { fails: "change streams cannot be read", works: "change streams are read again" },
  notify: { fails: "due work cannot be announced", works: "due work is announced again" },
  listen: {
    fails: "announcements of due work are not received",
    works: "announcements of due work are received again",
  },
  cache: { fails: "the resource cache cannot be used", works: "the resource cache is used again" },
};

/** Every use, in the order in which problems are listed. */
export const REDIS_USES = Object.keys(USES) as readonly RedisUse[];

/**
 * Whether Redis does what the server needs. The publisher's breaker, the tail's polling, the cache, the status, readiness and the
 * metrics all ask here. The operations report their outcomes; probes stand in for them while none is made.
 */
export class RedisHealth {
  readonly #logger: Logger;
  readonly #onReadOnly: () => void;
  readonly #errors = new Map<RedisUse, Error>();
  readonly #probes = new Map<RedisUse, () => Promise<unknown>>();
  readonly #listeners = new Set<(use: RedisUse, isFailing: boolean) => void>();
  readonly #timer: NodeJS.Timeout;
  #appendedAt = Number.NEGATIVE_INFINITY;

  /** `onReadOnly`: an operation was refused because Redis is a replica. */
  constructor(logger: Logger, onReadOnly: () => void) {
    this.#logger = logger;
    this.#onReadOnly = onReadOnly;
    this.#timer = setInterval(() => void this.#try(this.#usesToTry()), CHECK_INTERVAL_MS).unref();
  }

  /** `probe` does what `use` needs without an effect that anybody sees, and rejects with what Redis says against it. */
  setProbe(use: RedisUse, probe: () => Promise<unknown>): void {
    this.#probes.set(use, probe);
  }

  /** Calls `listener` when a use begins or ceases to fail. */
  onChange(listener: (use: RedisUse, isFailing: boolean) => void): void {
    this.#listeners.add(listener);
  }

  /** An operation succeeded, or failed with `error`. Logs one line per outage of a use. */
  report(use: RedisUse, error?: unknown): void {
    const wasFailing = this.#errors.has(use);
    if (error === undefined) {
      if (use === "append") this.#appendedAt = performance.now();
      this.#errors.delete(use);
      if (wasFailing) this.#changed(use, undefined);
      return;
    }
    const failure = error instanceof Error ? error : new Error(String(error));
    this.#errors.set(use, failure);
    if (!wasFailing) this.#changed(use, failure);
    if (isReadOnly(failure)) this.#onReadOnly();
  }

  /** Runs `operation`, settles as it does, and reports its success, or what Redis refused. */
  async watch<T>(use: RedisUse, operation: () => Promise<T>): Promise<T> {
    try {
      const result = await operation();
      this.report(use);
      return result;
    } catch (error) {
      if (isRefusal(error)) this.report(use, error);
      throw error;
    }
  }

  /** Whether one of `uses` fails, as far as is known. */
  isFailing(...uses: readonly RedisUse[]): boolean {
    return uses.some((use) => this.#errors.has(use));
  }

  /** What fails, as far as is known. What fails only because the connection is lost is left out. */
  get problems(): readonly RedisProblem[] {
    const isLost = this.#errors.has("connect");
    return REDIS_USES.flatMap((use) => {
      const error = this.#errors.get(use);
      return error === undefined || (isLost && use !== "connect" && !isRefusal(error)) ? [] : [{ use, error }];
    });
  }

  /** Tries every use now. Never rejects. */
  async check(): Promise<void> {
    await this.#try([...this.#probes.keys()]);
  }

  /** Ends the regular checks. Safe to call twice. */
  close(): void {
    clearInterval(this.#timer);
  }

  #usesToTry(): readonly RedisUse[] {
    if (this.#errors.has("connect")) return [];
    const isQuiet = performance.now() - this.#appendedAt >= CHECK_INTERVAL_MS;
    return [...this.#probes.keys()].filter((use) => this.#errors.has(use) || (use === "append" && isQuiet));
  }

  async #try(uses: readonly RedisUse[]): Promise<void> {
    const attempts = uses.map(async (use) => {
      try {
        await this.#probes.get(use)?.();
        this.report(use);
      } catch (error) {
        if (use === "connect" || isRefusal(error)) this.report(use, error);
      }
    });
    await Promise.all(attempts);
  }

  #changed(use: RedisUse, err: Error | undefined): void {
    const { fails, works } = USES[use];
    if (works !== undefined && err !== undefined) this.#logger.warn({ err, use }, fails);
    if (works !== undefined && err === undefined) this.#logger.info({ use }, works);
    for (const listener of this.#listeners) listener(use, err !== undefined);
  }
}

/** What fails, what Redis said, and what to do about it where that is known; without secrets. */
export function describeProblem({ use, error }: RedisProblem): string {
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return `${USES[use].fails} (${error.message || code})${remedyFor(error)}`;
}

function remedyFor(error: Error): string {
  const { message } = error;
  if (isReadOnly(error)) return "; REDIS_URL leads to a read-only replica: name the primary";
  if (/\bOOM\b/.test(message)) return "; raise its maxmemory, or set a maxmemory-policy that evicts";
  if (/\bNOPERM\b|user executing the script/.test(message)) return "; grant it to the user of REDIS_URL";
  if (/\bMISCONF\b/.test(message)) return "; it cannot save to its disk: repair that, or switch its persistence off";
  return "";
}

/** Older versions say so in the middle of the error of a script. */
function isReadOnly({ message }: Error): boolean {
  return /\bREADONLY\b/.test(message);
}

/**
 * Whether Redis refused a command, or did not answer it in time. It did neither when the connection was lost, or when the key
 * holds what somebody else wrote.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.message === "Command timed out") return true;
  return error.name === "ReplyError" && !error.message.startsWith("WRONGTYPE");
}
