import { InvalidArgumentError } from "@commander-js/extra-typings";
import ms, { type StringValue } from "ms";
import { TIMER_MAX_MS } from "../../shared/timer-limit.js";

/** Reads a duration such as `30s`, `5m` or `1h`, in milliseconds. For options of commander. */
export function readDuration(text: string): number {
  // ms says undefined of what it cannot read, whatever its types say.
  const value: number | undefined = /^\d+(\.\d+)?[a-z]+$/i.test(text) ? ms(text as StringValue) : undefined;
  if (value !== undefined && value <= TIMER_MAX_MS) return value;
  throw new InvalidArgumentError("It must be a duration such as 30s, 5m or 1h, at most 24d.");
}

/** How long ago, or until, a time is: `5m`. */
export function showAge(time: Date | undefined, now = new Date()): string {
  return time === undefined ? "-" : ms(Math.abs(now.getTime() - time.getTime()));
}

/** A time that may be before or after now: `5m ago`, `in 5m`. */
export function showTime(time: Date | undefined, now = new Date()): string {
  if (time === undefined) return "-";
  return time <= now ? `${showAge(time, now)} ago` : `in ${showAge(time, now)}`;
}
