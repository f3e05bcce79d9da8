/** Changes and whole histories for tests, made without a store. */
import { randomBytes } from "node:crypto";
import { type Change, type ChangeType, ORIGIN, type Position } from "../../src/resource/change.js";
import type { Resource } from "../../src/resource/resource.js";

/** A resource with `fields` over plain defaults. */
export function makeResource(fields: Partial<Resource> = {}): Resource {
  const name = fields.key?.name ?? "a";
  return {
    key: { resourceGroup: "apps", kind: "Widget", namespace: "default", name },
    id: 1n,
    uid: "0190c6f0-0000-7000-8000-000000000001",
    shardId: "s0",
    labels: new Map(),
    annotations: new Map(),
    finalizers: [],
    owner: null,
    specJson: '{"size": 1}',
    statusJson: null,
    generation: 1n,
    observedGeneration: 0n,
    revision: 1n,
    writeCount: 1n,
    createdAt: new Date(0),
    updatedAt: new Date(0),
    deletionRequestedAt: null,
    ...fields,
  };
}

/** 64 random bits as PostgreSQL stores them, never 0. */
export function newFingerprint(): bigint {
  return randomBytes(8).readBigInt64BE() || 1n;
}

/** What a change of a history may say of itself. */
export interface ChangeFields {
  readonly type?: ChangeType;
  readonly resource?: Partial<Resource>;
  readonly previousLabels?: ReadonlyMap<string, string> | null;
  readonly previousOwnerUid?: string | null;
  readonly previousRevision?: bigint;
  readonly previousGeneration?: bigint;
  readonly movedTo?: string | null;
  readonly fingerprint?: bigint;
}

/** A log that grows change by change, each with a fingerprint of its own, and can be forked as a restore does. */
export class TestHistory {
  readonly log: number;
  readonly changes: Change[] = [];

  constructor(log = 0) {
    this.log = log;
  }

  get head(): Position {
    return this.positionAt(this.changes.length);
  }

  /** The position after the first `count` changes. */
  positionAt(count: number): Position {
    const change = this.changes[count - 1];
    return change === undefined ? ORIGIN : { revision: change.revision, fingerprint: change.fingerprint };
  }

  append(fields: ChangeFields = {}): Change {
    const { revision, fingerprint } = this.head;
    const type = fields.type ?? "MODIFIED";
    const change: Change = {
      log: this.log,
      revision: revision + 1n,
      fingerprint: fields.fingerprint ?? newFingerprint(),
      previousFingerprint: fingerprint,
      type,
      resource: makeResource({ ...fields.resource, revision: revision + 1n }),
      previousLabels: fields.previousLabels ?? (type === "ADDED" ? null : new Map()),
      previousOwnerUid: fields.previousOwnerUid ?? null,
      previousRevision: fields.previousRevision ?? 0n,
      previousGeneration: fields.previousGeneration ?? 0n,
      movedTo: fields.movedTo ?? null,
    };
    this.changes.push(change);
    return change;
  }

  /** Appends `count` changes and returns them. */
  appendMany(count: number, fields: ChangeFields = {}): readonly Change[] {
    return Array.from({ length: count }, () => this.append(fields));
  }

  /** The same history up to `count` changes; what follows will differ. */
  forkAt(count: number): TestHistory {
    const fork = new TestHistory(this.log);
    fork.changes.push(...this.changes.slice(0, count));
    return fork;
  }
}
