import type { PeekRow } from "../store/statements/lease-work.js";

/** What to do after a look from outside. Times are in milliseconds; undefined: nothing to wait for but a ring. */
export type Choice =
  /** Lease ready items, by turns. */
  | { readonly type: "turns" }
  /** Lease one struck item, alone. */
  | { readonly type: "solo" }
  /** There is nothing for any session with these shards. */
  | { readonly type: "nothing"; readonly nextInMs: number | undefined }
  /** There is something, but not for this session as it is: the end of a lease of its own, or the time, changes that. */
  | { readonly type: "waits"; readonly nextInMs: number | undefined }
  /** The session has had its passes per second. */
  | { readonly type: "throttled"; readonly nextInMs: number }
  /** The session holds as many leases as it may. */
  | { readonly type: "full" };

/** Decides a look; `isAfterSolo`: the session's last lease was a struck item. The leases themselves are decided under locks. */
export function chooseLook(peek: PeekRow, isAfterSolo: boolean): Choice {
  if (peek.room <= 0) return { type: "full" };
  // Whoever ends a lease of the kind rings.
  if (peek.kind_room !== null && peek.kind_room <= 0) return { type: "nothing", nextInMs: undefined };
  const isReady = peek.ready.length > 0 || isDue(peek.scheduled_in_ms);
  const isStruck = isDue(peek.struck_in_ms);
  const nextInMs = earliest([peek.scheduled_in_ms, peek.struck_in_ms]);
  if (!isReady && !isStruck) return { type: "nothing", nextInMs };
  if (peek.must_drain) return { type: "waits", nextInMs: undefined };
  const isSoloPossible = isStruck && peek.leases === 0;
  if (!isReady && !isSoloPossible) return { type: "waits", nextInMs };
  if (peek.tokens !== null && peek.tokens < 1) {
    return { type: "throttled", nextInMs: ((1 - peek.tokens) / peek.passes_per_second) * 1000 };
  }
  return { type: isSoloPossible && !(isReady && isAfterSolo) ? "solo" : "turns" };
}

function isDue(inMs: number | null): boolean {
  return inMs !== null && inMs <= 0;
}

function earliest(times: readonly (number | null)[]): number | undefined {
  const ahead = times.filter((inMs) => inMs !== null).filter((inMs) => inMs > 0);
  return ahead.length === 0 ? undefined : Math.min(...ahead);
}
