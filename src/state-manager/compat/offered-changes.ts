import type { Change, Position } from "../../resource/change.js";
import { type CompatEntry, compatEntry } from "./compat-entry.js";

/** Changes this process has committed and not yet announced; beyond this they are read from PostgreSQL (I9). */
const MAX_OFFERED = 4_096;
/** One run of the script carries at most this many changes: Redis serves no other client meanwhile. */
const MAX_RUN = 512;

/** What a run of changes comes to in the streams. */
export interface CompatRun {
  readonly entries: readonly CompatEntry[];
  /** The position after it. */
  readonly end: Position;
}

/** A change without its bodies, which no entry carries. */
interface OfferedChange extends Position {
  readonly previousFingerprint: bigint;
  readonly entry: CompatEntry | undefined;
}

/** The newest changes of one log that this process has committed: in the usual case all that a lane has to read. */
export class OfferedChanges {
  #changes: OfferedChange[] = [];

  /** Per log ascending. */
  add(changes: readonly Change[]): void {
    for (const change of changes) {
      const { revision, fingerprint, previousFingerprint } = change;
      this.#changes.push({ revision, fingerprint, previousFingerprint, entry: compatEntry(change) });
    }
    // A lane that is so far behind reads PostgreSQL anyway, from its own position on.
    if (this.#changes.length > MAX_OFFERED) this.#changes = [];
  }

  /** The changes that follow `position` without a gap; undefined when there are none. Forgets what stands before it. */
  after(position: Position): CompatRun | undefined {
    const first = this.#changes.findIndex(({ revision }) => revision > position.revision);
    this.#changes = first === -1 ? [] : this.#changes.slice(first);
    let end = position;
    const entries: CompatEntry[] = [];
    for (const { revision, fingerprint, previousFingerprint, entry } of this.#changes.slice(0, MAX_RUN)) {
      if (revision !== end.revision + 1n || previousFingerprint !== end.fingerprint) break;
      if (entry !== undefined) entries.push(entry);
      end = { revision, fingerprint };
    }
    return end === position ? undefined : { entries, end };
  }
}

/** The run that changes read from the log make; undefined for none. */
export function runOf(changes: readonly Change[]): CompatRun | undefined {
  const last = changes.at(-1);
  if (last === undefined) return undefined;
  const entries = changes.map(compatEntry).filter((entry) => entry !== undefined);
  return { entries, end: { revision: last.revision, fingerprint: last.fingerprint } };
}
