import {
  type LeasedItem,
  type PassReport,
  PassResult,
  ReportOutcome,
} from "../gen/reconcile/v1/reconciler_service_pb.js";

/** A lease that was handed out. */
export interface Lease {
  readonly item: LeasedItem;
  readonly sessionId: string;
  /** `performance.now()` when it was handed out. */
  readonly since: number;
  /** When it ended and how; undefined while the session holds it. */
  over?: { readonly at: number; readonly how: "accepted" | "stale" | "lost" };
}

/** An answered report. */
export interface Reported {
  readonly at: number;
  readonly report: PassReport;
  readonly outcome: ReportOutcome;
}

/** What is offered, who holds it, and what was said about it. */
export class Leases {
  readonly all: Lease[] = [];
  readonly reported: Reported[] = [];
  readonly #offered: LeasedItem[] = [];
  readonly #doomed = new Set<string>();
  /** The most leases any session held at once. */
  peak = 0;

  offer(items: readonly LeasedItem[]): void {
    this.#offered.push(...items);
  }

  get offered(): number {
    return this.#offered.length;
  }

  /** The leases a session holds. */
  heldBy(sessionId: string): readonly Lease[] {
    return this.all.filter((lease) => lease.sessionId === sessionId && lease.over === undefined);
  }

  of(token: string): Lease | undefined {
    return this.all.find(({ item }) => item.leaseToken === token);
  }

  /** Hands out as much as is asked for: a worker that asks for more than it may hold gets it, and is seen. */
  take(sessionId: string, maxItems: number): LeasedItem[] {
    const items = this.#offered.splice(0, maxItems);
    const since = performance.now();
    this.all.push(...items.map((item) => ({ item, sessionId, since })));
    this.peak = Math.max(this.peak, this.heldBy(sessionId).length);
    return items;
  }

  /** The next renewal that lists this lease is told that it is lost. */
  lose(token: string): void {
    this.#doomed.add(token);
  }

  /** Which of these tokens are lost, as a renewal asks. */
  lostOf(sessionId: string, tokens: readonly string[]): string[] {
    return tokens.filter((token) => {
      const lease = this.of(token);
      if (lease?.sessionId === sessionId && this.#doomed.has(token))
        lease.over ??= { at: performance.now(), how: "lost" };
      return lease?.sessionId !== sessionId || lease.over !== undefined;
    });
  }

  /** Ends every lease: the server does not know its holder any more. */
  loseAll(): void {
    for (const lease of this.all) lease.over ??= { at: performance.now(), how: "lost" };
  }

  /** What an honest server makes of a report, or `outcome` when given. */
  settle(sessionId: string, report: PassReport, outcome = this.#judge(sessionId, report)): ReportOutcome {
    const at = performance.now();
    const lease = this.of(report.leaseToken);
    if (lease !== undefined && outcome === ReportOutcome.ACCEPTED) lease.over = { at, how: "accepted" };
    if (lease !== undefined && outcome === ReportOutcome.STALE) lease.over ??= { at, how: "stale" };
    this.reported.push({ at, report, outcome });
    return outcome;
  }

  #judge(sessionId: string, report: PassReport): ReportOutcome {
    const lease = this.of(report.leaseToken);
    if (lease?.sessionId !== sessionId || lease.over !== undefined) return ReportOutcome.STALE;
    const { result, observedGeneration, requeueAfter } = report;
    const generation = lease.item.resource?.generation ?? 0n;
    const isComplete =
      result === PassResult.SUCCESS
        ? observedGeneration !== undefined && observedGeneration <= generation
        : result === PassResult.REQUEUE_AFTER
          ? requeueAfter !== undefined
          : result === PassResult.ERROR || result === PassResult.RELEASE;
    return isComplete ? ReportOutcome.ACCEPTED : ReportOutcome.INVALID;
  }
}
