/** The log as the states each key went through, and who wrote them. */
import type { HistoryEvent } from "../history.js";

/** What the oracles need to know of an event. */
export type LogEvent = Omit<HistoryEvent, "name" | "log">;

/** A state of a key; the first of every key is that nothing is there. */
export interface Version {
  readonly key: string;
  /** Among the versions of its key. */
  readonly index: number;
  /** Its place in the log; 0 for the first. */
  readonly revision: number;
  /** The resource, or its last state when this is its end; undefined for the first. */
  readonly event: LogEvent | undefined;
  readonly exists: boolean;
  /** The numbers of the writes that made it what it is and not what was before. */
  readonly writtenBy: readonly number[];
}

/** The annotation in which ForceRemoveFinalizer records its message. */
const FORCED = "reconcile.dev/forced-finalizers";

/** All versions of all keys of one log: a total order, so that nothing has to be searched. */
export class Versions {
  readonly byKey = new Map<string, Version[]>();
  /** In the order of the log. */
  readonly inOrder: Version[] = [];
  readonly #keysByKind = new Map<string, Set<string>>();
  readonly #endings = new Map<string, number>();
  readonly #byRevision = new Map<number, Version>();
  readonly #removals = new Map<string, Version>();
  readonly #writtenBy = new Map<number, Version[]>();

  constructor(events: readonly LogEvent[]) {
    for (const event of events) {
      // The departure of a move is no state of the key: its arrival follows in the same transaction.
      if (event.movedTo !== null) continue;
      const versions = this.of(event.key);
      const before = versions[versions.length - 1] as Version; // `of` begins with one
      const known = before.exists && before.event !== undefined ? numbersIn(before.event) : [];
      const version: Version = {
        key: event.key,
        index: versions.length,
        revision: event.revision,
        event,
        exists: event.type !== "DELETED",
        writtenBy: numbersIn(event).filter((number) => !known.includes(number)),
      };
      versions.push(version);
      this.inOrder.push(version);
      this.#byRevision.set(version.revision, version);
      this.#keysByKind.set(event.kind, (this.#keysByKind.get(event.kind) ?? new Set()).add(event.key));
      if ((event.isDeleting || !version.exists) && !this.#endings.has(event.uid)) {
        this.#endings.set(event.uid, event.revision);
      }
      if (!version.exists) this.#removals.set(event.uid, version);
      for (const number of version.writtenBy) {
        this.#writtenBy.set(number, [...(this.#writtenBy.get(number) ?? []), version]);
      }
    }
  }

  /** The versions of a key, oldest first; at least the one that is nothing. */
  of(key: string): Version[] {
    let versions = this.byKey.get(key);
    if (versions === undefined) {
      versions = [{ key, index: 0, revision: 0, event: undefined, exists: false, writtenBy: [] }];
      this.byKey.set(key, versions);
    }
    return versions;
  }

  at(revision: number): Version | undefined {
    return this.#byRevision.get(revision);
  }

  /** The end of a resource; undefined while it lives. */
  removalOf(uid: string): Version | undefined {
    return this.#removals.get(uid);
  }

  /** Where the deletion of a resource was requested or, without finalizers, done; undefined while nobody has. */
  endingOf(uid: string): number | undefined {
    return this.#endings.get(uid);
  }

  /** The keys of a kind that were ever there. */
  keysOf(kind: string): Iterable<string> {
    return this.#keysByKind.get(kind) ?? [];
  }

  /** Where the write with this number took effect: more than once is a violation. */
  writtenBy(number: number): readonly Version[] {
    return this.#writtenBy.get(number) ?? [];
  }

  before(version: Version): Version {
    return this.of(version.key)[version.index - 1] as Version; // not asked of the first
  }

  after(version: Version): Version | undefined {
    return this.of(version.key)[version.index + 1];
  }
}

/** The numbers of the writes that made a state: in its spec, in its status and in the record of forced finalizers. */
function numbersIn({ spec, status, annotations }: LogEvent): readonly number[] {
  const forced: readonly { readonly message?: string }[] = JSON.parse(annotations[FORCED] ?? "[]");
  const messages = forced.flatMap(({ message }) => Number(/^write (\d+)$/.exec(message ?? "")?.[1] ?? Number.NaN));
  return [JSON.parse(spec)?.write, JSON.parse(status)?.write, ...messages].filter(Number.isInteger);
}
