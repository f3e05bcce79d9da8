/** What happened according to PostgreSQL, to hold against what watchers and writers saw. */
import { hash } from "node:crypto";
import pg from "pg";

/** What a watcher is sent of one change, or should have been. */
export interface Seen {
  readonly log: number;
  readonly revision: number;
  readonly type: string;
  readonly uid: string;
  /** Digest of everything in the object: see `digest`. */
  readonly body: string;
}

/** Everything of a resource that reaches clients, in words that every protocol can be turned into. */
export interface Body {
  readonly uid: string;
  readonly key: readonly [group: string, kind: string, namespace: string, name: string];
  readonly shard: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  readonly generation: number;
  readonly observed: number;
  /** JSON text. */
  readonly spec: string;
  readonly status: string;
  readonly isDeleting: boolean;
}

/** Equal for equal objects. */
export function digest(body: Body): string {
  const { uid, key, shard, labels, annotations, finalizers, generation, observed, isDeleting } = body;
  const sorted = (map: Readonly<Record<string, string>>) => Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
  const metadata = [uid, key, shard, sorted(labels), sorted(annotations), finalizers, generation, observed, isDeleting];
  return hash("sha1", `${JSON.stringify(metadata)}${body.spec}${body.status}`, "base64");
}

/** Selects changes as a watch does; `tier` is the value of that label. */
export interface HistoryFilter {
  readonly kind?: string;
  readonly shard?: string;
  readonly tier?: string;
}

/** A row of `events`. */
export interface HistoryEvent extends Seen {
  /** The resource's key in one text: see `keyText`. */
  readonly key: string;
  readonly kind: string;
  readonly name: string;
  readonly shard: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly finalizers: readonly string[];
  /** The owner's uid. */
  readonly owner: string | null;
  readonly generation: number;
  readonly observed: number;
  readonly isDeleting: boolean;
  /** The resource's writes so far, this one included. */
  readonly writes: number;
  readonly movedTo: string | null;
  readonly spec: string;
  readonly status: string;
  /** The same in all events of a transaction, and in no other. */
  readonly fingerprint: string;
}

/** The parts of a key as one text. */
export function keyText(group: string, kind: string, namespace: string, name: string): string {
  return `${group}/${kind}/${namespace}/${name}`;
}

interface Row {
  readonly log_id: number;
  readonly revision: string;
  readonly fingerprint: string;
  readonly previous_fingerprint: string;
  readonly type: string;
  readonly resource_group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly meta: string;
  readonly spec: string | null;
  readonly status: string | null;
}

/** The change log as PostgreSQL holds it. */
export class History {
  /** By log, then revision. */
  readonly events: readonly HistoryEvent[];
  /** What is wrong with the log itself: gaps, and links between fingerprints that do not fit. */
  readonly flaws: readonly string[];

  private constructor(events: readonly HistoryEvent[], flaws: readonly string[]) {
    this.events = events;
    this.flaws = flaws;
  }

  static async read(databaseUrl: string): Promise<History> {
    const rows = await querySql<Row>(databaseUrl, "SELECT * FROM events ORDER BY log_id, revision");
    return new History(rows.map(readEvent), findFlaws(rows));
  }

  get length(): number {
    return this.events.length;
  }

  /**
   * What a watcher with `filter` has to see after revision `after` of its log. Follows every resource through its whole
   * history, where the server decides by the labels stored with an event: two ways to one answer.
   */
  expectedBy(filter: HistoryFilter = {}, after = 0): readonly Seen[] {
    const visible = new Set<string>();
    return this.events.flatMap((event) => {
      const { log, revision, uid, body } = event;
      if (filter.kind !== undefined && filter.kind !== event.kind) return [];
      if (filter.shard !== undefined && filter.shard !== event.shard) return [];
      const place = `${uid} ${event.shard}`;
      const before = visible.has(place);
      const isSelected = filter.tier === undefined || event.labels.tier === filter.tier;
      const now = event.type !== "DELETED" && isSelected;
      if (now) visible.add(place);
      else visible.delete(place);
      if ((!before && !now) || revision <= after) return [];
      return [{ log, revision, uid, body, type: now ? (before ? "MODIFIED" : "ADDED") : "DELETED" }];
    });
  }

  /** What exists after revision `at` of the only log and is selected by `filter`: digests by uid. */
  stateAt(at: number, filter: HistoryFilter = {}): ReadonlyMap<string, string> {
    const state = new Map<string, string>();
    for (const { revision, type, uid, body } of this.expectedBy(filter)) {
      if (revision > at) break;
      if (type === "DELETED") state.delete(uid);
      else state.set(uid, body);
    }
    return state;
  }
}

/** Where two lists of changes first differ; undefined when they are equal. Logs are independent of each other. */
export function firstDifference(expected: readonly Seen[], seen: readonly Seen[]): object | undefined {
  for (const log of new Set([...expected, ...seen].map((each) => each.log))) {
    const want = expected.filter((each) => each.log === log);
    const got = seen.filter((each) => each.log === log);
    for (let i = 0; i < Math.max(want.length, got.length); i++) {
      const [a, b] = [want[i], got[i]];
      const isSame = a?.revision === b?.revision && a?.type === b?.type && a?.uid === b?.uid && a?.body === b?.body;
      if (!isSame) return { log, index: i, expected: a, seen: b, previous: got[i - 1], next: got[i + 1] };
    }
  }
  return undefined;
}

/** Runs one statement on a connection of its own. */
export async function querySql<R extends pg.QueryResultRow>(databaseUrl: string, text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<R>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Says where the stored state contradicts the log: nothing may be half-written. Nothing else may write meanwhile. */
export async function findHalfWritten(databaseUrl: string): Promise<readonly object[]> {
  return querySql(
    databaseUrl,
    `WITH last AS (
       SELECT DISTINCT ON (resource_group, kind, namespace, name) * FROM (
         SELECT e.*, (meta::json ->> 'writes')::bigint AS writes, (meta::json ->> 'id')::bigint AS id FROM events e
       ) e
       -- A removal repeats the state before it, its count of writes too. Numbers of different logs say nothing here.
       ORDER BY resource_group, kind, namespace, name, id DESC, writes DESC, type = 'DELETED' DESC
     )
     SELECT coalesce(l.name, r.name) AS name, l.type, l.revision AS logged, r.revision AS stored, w.name AS queued
     FROM last l
     FULL JOIN resources r USING (resource_group, kind, namespace, name)
     LEFT JOIN work_items w USING (resource_group, kind, namespace, name)
     WHERE ((l.type IS DISTINCT FROM 'DELETED') <> (r.id IS NOT NULL))
        OR (r.id IS NOT NULL AND (r.revision <> l.revision OR r.spec::text IS DISTINCT FROM l.spec OR r.status::text IS DISTINCT FROM l.status))
        OR (r.generation > r.observed_generation AND w.name IS NULL)
        OR (r.id IS NULL AND w.name IS NOT NULL AND w.lease_token IS NULL)`,
  );
}

function readEvent(row: Row): HistoryEvent {
  const { kind, name, type, log_id: log, resource_group: group, namespace, fingerprint } = row;
  const { uid, shard, labels, annotations, finalizers, movedTo, ...meta } = JSON.parse(row.meta);
  const [generation, observed, writes] = [meta.generation, meta.observed, meta.writes].map(Number) as [
    number,
    number,
    number,
  ];
  const [spec, status] = [row.spec ?? "null", row.status ?? "null"];
  const isDeleting = meta.deletionRequested !== null;
  const shown = { uid, shard, labels, annotations, finalizers, generation, observed, spec, status, isDeleting };
  return {
    ...shown,
    ...{ log, type, kind, name, movedTo, writes, fingerprint },
    revision: Number(row.revision),
    body: digest({ ...shown, key: [group, kind, namespace, name] }),
    key: keyText(group, kind, namespace, name),
    owner: meta.owner?.uid ?? null,
  };
}

function findFlaws(rows: readonly Row[]): readonly string[] {
  const ends = new Map<number, { readonly revision: bigint; readonly fingerprint: string }>();
  return rows.flatMap(({ log_id: log, revision, fingerprint, previous_fingerprint: previous }) => {
    const end = ends.get(log) ?? { revision: 0n, fingerprint: "0" };
    ends.set(log, { revision: BigInt(revision), fingerprint });
    if (BigInt(revision) !== end.revision + 1n) return [`log ${log}: ${revision} follows ${end.revision}`];
    return previous === end.fingerprint ? [] : [`log ${log}: ${revision} does not name the fingerprint before it`];
  });
}
