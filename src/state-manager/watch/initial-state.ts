import pLimit from "p-limit";
import type { Change, Position } from "../../resource/change.js";
import { PAGE_MAX_BYTES } from "../../resource/limits.js";
import { logOf } from "../../resource/log-of.js";
import type { Resource } from "../../resource/resource.js";
import type { ResourceFilter } from "../../resource/resource-filter.js";
import { resourceSize } from "../log/change-size.js";
import type { Metrics } from "../observability/metrics.js";
import type { ListQuery, ResourcePage, ResourceReader } from "../store/store.js";
import { CatchUp } from "./catch-up.js";
import type { History } from "./history.js";
import { ListedPages } from "./listed-pages.js";
import { MAX_BATCH_BYTES, MAX_BATCH_EVENTS, StepBuilder } from "./step.js";
import type { Tail } from "./tail.js";
import type { WatchEvent } from "./watch.js";

/** Rows per page: few at first, as nobody knows yet how large they are, and then what fits the memory meant for a page. */
const FIRST_PAGE_ROWS = 50;
const MIN_PAGE_ROWS = 8;
const MAX_PAGE_ROWS = 500;
const PAGE_BYTES = 4 * 1024 * 1024;
/** Pages being read at once, for all watches together: initial states must not take the pool from writes (W7, I9). */
const CONCURRENT_PAGES = 4;

/** A piece of an initial state; possibly empty, after a long search. */
export interface InitialPart {
  readonly events: readonly WatchEvent[];
  /** Set with the last part: from here on the watch goes on as any other. */
  readonly end?: readonly Position[];
}

/** Reads what exists without holding a snapshot (SPEC.md, "Initial state"). */
export class InitialState {
  readonly #reader: ResourceReader;
  readonly #tail: Tail;
  readonly #history: History;
  readonly #metrics: Metrics;
  readonly #limit = pLimit(CONCURRENT_PAGES);

  constructor(options: { reader: ResourceReader; tail: Tail; history: History; metrics: Metrics }) {
    this.#reader = options.reader;
    this.#tail = options.tail;
    this.#history = options.history;
    this.#metrics = options.metrics;
  }

  /** The resources that match `filter`, then the changes since `start`, the heads noted before. */
  async *read(filter: ResourceFilter, start: readonly Position[]): AsyncGenerator<InitialPart> {
    const pages = new ListedPages(start);
    yield* this.#list(filter, start, pages);
    yield* this.#replay(filter, start, pages);
  }

  async *#list(filter: ResourceFilter, start: readonly Position[], pages: ListedPages): AsyncGenerator<InitialPart> {
    let afterId: bigint | undefined = 0n;
    let limit = FIRST_PAGE_ROWS;
    while (afterId !== undefined) {
      const query: ListQuery = { filter, pendingOnly: false, afterId, offset: 0, limit, maxBytes: PAGE_MAX_BYTES };
      const page: ResourcePage = await this.#limit(() => this.#reader.list(query));
      pages.add(page.nextAfterId, page.heads);
      yield* toParts(page.resources.filter((resource) => isAtMost(resource, start)));
      afterId = page.nextAfterId;
      limit = nextLimit(page.resources);
    }
  }

  async *#replay(filter: ResourceFilter, start: readonly Position[], pages: ListedPages): AsyncGenerator<InitialPart> {
    const catchUp = new CatchUp(this.#history, this.#metrics);
    const hasBefore = (change: Change): boolean => {
      pages.assertSameHistory(change);
      return pages.hasBefore(change);
    };
    let positions = start;
    for (const [log, end] of pages.end.entries()) {
      for (let after = positions[log]; after !== undefined && after.revision < end.revision; after = positions[log]) {
        const step = new StepBuilder(filter, positions);
        const read = this.#tail.logs[log]?.read(after, MAX_BATCH_EVENTS);
        if (read?.type === "changes") step.add(log, read.changes, hasBefore);
        else await catchUp.pull(step, log, after, hasBefore);
        const { events, positions: reached } = step.result;
        positions = reached;
        yield { events };
      }
    }
    yield { events: [], end: positions };
  }
}

function isAtMost(resource: Resource, start: readonly Position[]): boolean {
  const position = start[logOf(resource.shardId, start.length)];
  return position !== undefined && resource.revision <= position.revision;
}

function* toParts(resources: readonly Resource[]): Generator<InitialPart> {
  let events: WatchEvent[] = [];
  let bytes = 0;
  for (const resource of resources) {
    events.push({ type: "ADDED", resource, revision: resource.revision, movedTo: null, change: undefined });
    bytes += resourceSize(resource);
    if (events.length < MAX_BATCH_EVENTS && bytes < MAX_BATCH_BYTES) continue;
    yield { events };
    events = [];
    bytes = 0;
  }
  yield { events };
}

function nextLimit(resources: readonly Resource[]): number {
  const bytes = resources.reduce((sum, resource) => sum + resourceSize(resource), 0);
  const rows = Math.floor((PAGE_BYTES * resources.length) / Math.max(1, bytes));
  return Math.max(MIN_PAGE_ROWS, Math.min(MAX_PAGE_ROWS, rows));
}
