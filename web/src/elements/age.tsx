import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { useSyncExternalStore } from "react";
import { formatSpan } from "./format-span.js";

/** How long ago a time is, or how far ahead; the time itself when one points at it. Milliseconds since 1970. */
export function Age({ at }: { readonly at: number | Date | Timestamp | undefined }) {
  const now = useNow();
  const ms = toMs(at);
  if (Number.isNaN(ms)) return <span className="quiet">–</span>;
  const time = new Date(ms);
  const text = ms > now ? `in ${formatSpan(ms - now)}` : formatSpan(now - ms);
  return (
    <time dateTime={time.toISOString()} title={TIME.format(time)} className="number">
      {text}
    </time>
  );
}

/** NaN for none, and for a date that is none: anybody may write one into a status. */
function toMs(at: number | Date | Timestamp | undefined): number {
  if (at === undefined) return Number.NaN;
  if (typeof at === "number") return at;
  return at instanceof Date ? at.getTime() : timestampMs(at);
}

/** One for all: making a format takes longer than drawing a row. */
const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });
const TICK_MS = 1_000;
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all ages, which stands still while nobody looks at one. */
function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, TICK_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function tick(): void {
  now = Date.now();
  for (const listener of listeners) listener();
}
