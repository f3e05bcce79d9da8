import { setMaxListeners } from "node:events";
import { timerMs } from "../shared/timer-limit.js";
import type { Progress } from "./progress-outbox.js";

/** The lease is somebody else's now, or may be: the pass must not change anything any more. */
export class LeaseLostError extends Error {
  override readonly name = "LeaseLostError";
}

/** The process stops; the pass goes back into the queue. */
export class ShutdownError extends Error {
  override readonly name = "ShutdownError";
  constructor() {
    super("the control loop is stopping");
  }
}

/** The pass took too long (I11). */
export class PassDeadlineError extends Error {
  override readonly name = "PassDeadlineError";
  constructor(deadlineMs: number) {
    super(`the pass took longer than its deadline of ${deadlineMs} ms`);
  }
}

/** The server must still accept the report, so a pass ends this much earlier, but never more than a tenth. */
const REPORT_MARGIN_MS = 1_000;

/** A lease while its pass runs or its report is on its way. */
export class HeldLease {
  readonly token: string;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  /** Sends how far the pass has come; resolves to whether the server has it, and never rejects. */
  readonly saveProgress: (progress: Progress) => Promise<boolean>;

  /** `deadlineMs` is the longest a pass may take, counted from now. */
  constructor(token: string, deadlineMs: number, saveProgress: (progress: Progress) => Promise<boolean>) {
    this.token = token;
    this.saveProgress = saveProgress;
    setMaxListeners(0, this.signal); // a pass may well hand it to a dozen calls
    const expire = () => this.abort(new PassDeadlineError(deadlineMs));
    this.#timer = setTimeout(expire, timerMs(deadlineMs - Math.min(REPORT_MARGIN_MS, deadlineMs / 10)));
  }

  /** Aborts with one of the errors of this file, or with what escaped the pass. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the pass; only the first reason counts. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** The pass is over: its deadline no longer matters. */
  settle(): void {
    clearTimeout(this.#timer);
  }
}
