/** What clients asked for and were told: what the oracles judge. */

/** One call of one client. Times are milliseconds on one clock that never goes back. */
interface Call {
  /** A client has one call in flight, so what it was told before it made the call is known. */
  readonly client: number;
  readonly replica: number;
  readonly invokedAt: number;
  readonly completedAt: number;
}

/** A state of a resource in an answer. */
export interface Shown {
  readonly key: string;
  readonly uid: string;
  readonly revision: number;
  /** See `digest` of history.ts. */
  readonly body: string;
}

/** A call that was not done. */
export interface Failure {
  /** "refused": the server said so, and of a write it said thereby that nothing is stored. "unknown": it may be, or may be yet. */
  readonly type: "refused" | "unknown";
  readonly code: string;
  readonly reason: string;
}

/** What a write expects of the state before it. */
export interface Guard {
  readonly uid?: string | undefined;
  readonly revision?: number | undefined;
  readonly generation?: number | undefined;
}

/** The number of a write stands in what it writes: see `numbersIn` of versions.ts. */
export interface Marked {
  readonly key: string;
  readonly number: number;
  /** The spec or status as JSON text. */
  readonly payload: string;
  /** The key of the owner that is asked for. */
  readonly owner?: string | undefined;
}

export type Verb = "create" | "update" | "apply" | "status" | "delete" | "force";

/** A write of one resource. A deletion leaves no number. */
export interface WriteCall extends Call, Marked {
  readonly type: "write";
  readonly verb: Verb;
  readonly guard: Guard;
  readonly outcome:
    | Failure
    | {
        readonly type: "done";
        /** The stored state, or the last one; undefined where the answer has none. */
        readonly shown: Shown | undefined;
        readonly isRemoved: boolean;
        readonly isUnchanged: boolean;
      };
}

/** An ApplyResources that fits one run. */
export interface RunCall extends Call {
  readonly type: "run";
  readonly items: readonly Marked[];
  readonly outcome: Failure | { readonly type: "done"; readonly results: readonly RunResult[] };
}

/** What became of one item. */
export interface RunResult {
  readonly uid: string;
  readonly revision: number;
  readonly isUnchanged: boolean;
}

/** A read by key; `shown` is undefined for NOT_FOUND. */
export interface ReadCall extends Call {
  readonly type: "read";
  readonly key: string;
  readonly consistency: "strong" | "cached";
  readonly outcome: Failure | { readonly type: "done"; readonly shown: Shown | undefined };
}

/** A list, page by page. */
export interface ListCall extends Call {
  readonly type: "list";
  readonly kind: string;
  /** The value of the label `tier`. */
  readonly tier: string | undefined;
  readonly pages: readonly {
    readonly invokedAt: number;
    readonly completedAt: number;
    readonly shown: readonly Shown[];
  }[];
  /** Of a page: then what is missing says nothing. */
  readonly failure: Failure | undefined;
}

/** A call of Enqueue. */
export interface EnqueueCall extends Call {
  readonly type: "enqueue";
  readonly key: string;
  readonly outcome: Failure | { readonly type: "done" };
}

export type Operation = WriteCall | RunCall | ReadCall | ListCall | EnqueueCall;

/** A span of time in which something was broken. */
export interface FaultWindow {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** Whether Redis may have missed a write in it. */
  readonly isRedisAway: boolean;
}

/** How a violation names a call. */
export function describeCall(call: Operation): string {
  const at = `${Math.round(call.invokedAt)}–${Math.round(call.completedAt)} ms, client ${call.client}, replica ${call.replica}`;
  switch (call.type) {
    case "write":
      return `${call.verb} ${call.number} of ${call.key} (${at})`;
    case "run":
      return `ApplyResources of ${call.items.map(({ number }) => number)} (${at})`;
    case "read":
      return `${call.consistency} read of ${call.key} (${at})`;
    case "list":
      return `list of ${call.kind}${call.tier === undefined ? "" : ` with tier ${call.tier}`} (${at})`;
    case "enqueue":
      return `Enqueue of ${call.key} (${at})`;
  }
}
