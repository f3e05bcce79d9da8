import type { ClientSession } from "../../../src/client/client-work.js";

/** How fast one session works; null while that is not known. */
export interface SessionRate {
  readonly passesPerSecond: number | null;
  readonly errorsPerSecond: number | null;
}

/** One moment of the whole. */
export interface LoadPoint extends SessionRate {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Work that is due and that nobody holds; null where it was not read. */
  readonly due: number | null;
}

type Counters = ReadonlyMap<string, Pick<ClientSession, "passes" | "failedPasses">>;

/** Rates are taken over this long: the server adds passes up within seconds, so a shorter look would see none, then twice as many. */
const RATE_WINDOW_MS = 8_000;
const KEPT_MS = 5 * 60_000;

/** Turns counters that are read now and then into rates. */
export class LoadSeries {
  #samples: readonly { readonly at: number; readonly counters: Counters }[] = [];
  #points: readonly LoadPoint[] = [];

  /** Takes what was read at `at`: how fast each session works, and all of them, in the last five minutes. */
  add(
    at: number,
    sessions: readonly ClientSession[],
    due: number | null = null,
  ): { readonly sessions: ReadonlyMap<string, SessionRate>; readonly points: readonly LoadPoint[] } {
    const counters: Counters = new Map(sessions.map((session) => [session.sessionId, session]));
    const recent = this.#samples.filter((sample) => at - sample.at <= RATE_WINDOW_MS);
    this.#samples = [...recent, { at, counters }];
    const before = recent[0];
    const seconds = before === undefined ? 0 : (at - before.at) / 1_000;
    const rates = new Map(
      sessions.map((session) => [session.sessionId, rateOf(session, before?.counters.get(session.sessionId), seconds)]),
    );
    const total = (rate: (of: SessionRate) => number | null) =>
      seconds === 0 ? null : [...rates.values()].reduce((sum, of) => sum + (rate(of) ?? 0), 0);
    const point = {
      at,
      due,
      passesPerSecond: total(({ passesPerSecond }) => passesPerSecond),
      errorsPerSecond: total(({ errorsPerSecond }) => errorsPerSecond),
    };
    this.#points = [...this.#points.filter((old) => at - old.at <= KEPT_MS), point];
    return { sessions: rates, points: this.#points };
  }

  /** The last five minutes, as of the last `add`. */
  get points(): readonly LoadPoint[] {
    return this.#points;
  }
}

/** A session that is new counts from zero; what one did after the last reading before it ended is not known. */
function rateOf(
  session: ClientSession,
  before: Pick<ClientSession, "passes" | "failedPasses"> = { passes: 0, failedPasses: 0 },
  seconds: number,
): SessionRate {
  if (seconds === 0) return { passesPerSecond: null, errorsPerSecond: null };
  return {
    passesPerSecond: (session.passes - before.passes) / seconds,
    errorsPerSecond: (session.failedPasses - before.failedPasses) / seconds,
  };
}
