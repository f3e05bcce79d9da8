import { TIMER_MAX_MS } from "../../shared/timer-limit.js";

/** Milliseconds of each unit of `grpc-timeout`. */
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Shortens a deadline that no timer can wait for, in the headers of a call: Connect sets a timer with it, which would fire at once.
 * Malformed values stay, and Connect refuses them with INVALID_ARGUMENT.
 */
export function clampDeadline(headers: Headers): void {
  const connect = headers.get("connect-timeout-ms");
  // The 10 digits of the protocol; more of them are malformed.
  if (connect !== null && /^\d{10}$/.test(connect) && Number(connect) > TIMER_MAX_MS) {
    headers.set("connect-timeout-ms", `${TIMER_MAX_MS}`);
  }
  const grpc = /^(\d{1,8})([HMSmun])$/.exec(headers.get("grpc-timeout") ?? "");
  if (grpc !== null && Number(grpc[1]) * (UNIT_MS[grpc[2] ?? ""] ?? 0) > TIMER_MAX_MS) {
    // At most 8 digits, so in seconds.
    headers.set("grpc-timeout", `${Math.floor(TIMER_MAX_MS / 1_000)}S`);
  }
}
