import { describe, expect, test } from "vitest";
import type { Command, ResourceInput } from "../../../src/resource/command.js";
import { DomainError } from "../../../src/resource/errors.js";
import type { Resource } from "../../../src/resource/resource.js";
import { applyAll } from "../../../src/state-manager/service/apply-all.js";
import { type BulkSink, type CommandResult, RunError } from "../../../src/state-manager/store/store.js";
import { thing } from "../../support/things.js";

const RUN = 10;

function stored(input: ResourceInput): Resource {
  const at = new Date(0);
  return {
    ...input,
    owner: null,
    id: 1n,
    uid: `uid-${input.key.name}`,
    statusJson: null,
    generation: 1n,
    observedGeneration: 0n,
    revision: 7n,
    writeCount: 1n,
    createdAt: at,
    updatedAt: at,
    deletionRequestedAt: null,
  };
}

/** Stores in runs of ten, until `failure` says otherwise of one that begins at `first`. */
class FakeSink implements BulkSink {
  readonly stored: string[] = [];
  readonly #failure: (first: number) => RunError | undefined;

  constructor(failure: (first: number) => RunError | undefined = () => undefined) {
    this.#failure = failure;
  }

  submit(): Promise<CommandResult> {
    throw new Error("one at a time is not asked for");
  }

  async *submitAll(commands: readonly Command[]): AsyncGenerator<readonly CommandResult[], void, undefined> {
    for (let first = 0; first < commands.length; first += RUN) {
      const failure = this.#failure(first);
      if (failure !== undefined) throw failure;
      yield commands.slice(first, first + RUN).map((command) => {
        if (command.type !== "apply") throw new Error(`${command.type} is not asked for`);
        this.stored.push(command.input.key.name);
        return { outcome: "CREATED", resource: stored(command.input), previous: undefined };
      });
    }
  }
}

const inputs = (count: number, change: (index: number) => Partial<ResourceInput> = () => ({})) => ({
  count,
  decode: (index: number) => thing(`n${index}`, change(index)),
});
const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);

describe("applying many resources", () => {
  test("answers one result each, in order", async () => {
    const sink = new FakeSink();
    const { results, failure } = await applyAll(sink, inputs(25), { maxBytes: 0 });
    expect(sink.stored).toEqual(names(25));
    expect(results.map(({ uid }) => uid)).toEqual(names(25).map((name) => `uid-${name}`));
    expect(results[0]).toEqual({ outcome: "CREATED", uid: "uid-n0", revision: 7n, generation: 1n });
    expect(failure).toBeUndefined();
  });

  test.each([
    ["an invalid one", inputs(600, (index) => (index === 599 ? { shardId: "" } : {})), "resources[599].shard_id"],
    ["a key given twice", { count: 2, decode: () => thing("same") }, "resources[1].key"],
    ["none", inputs(0), "resources"],
  ])("writes nothing over %s", async (_what, given, field) => {
    const sink = new FakeSink();
    await expect(applyAll(sink, given, { maxBytes: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", field });
    expect(sink.stored).toEqual([]);
  });

  test("names the place of one that cannot be decoded", async () => {
    const decode = (index: number) => {
      if (index === 1) throw new DomainError("INVALID_ARGUMENT", "INVALID_FIELD", "spec is no JSON", { field: "spec" });
      return thing(`n${index}`);
    };
    const applying = applyAll(new FakeSink(), { count: 3, decode }, { maxBytes: 0 });
    await expect(applying).rejects.toThrowError("resources[1].spec is no JSON");
  });

  test("fails with what the first run was refused for", async () => {
    const cause = new DomainError("FAILED_PRECONDITION", "OWNER_NOT_FOUND", "owner is gone", { field: "owner" });
    const sink = new FakeSink((first) => new RunError({ first, count: RUN, refused: first + 3 }, cause));
    await expect(applyAll(sink, inputs(25), { maxBytes: 0 })).rejects.toMatchObject({
      message: "resources[3].owner is gone",
      code: "FAILED_PRECONDITION",
    });
  });

  test("tells of a later run that failed beside the results of those before", async () => {
    const cause = new DomainError("FAILED_PRECONDITION", "OWNER_NOT_FOUND", "owner is gone", { field: "owner" });
    const sink = new FakeSink((first) =>
      first === 10 ? new RunError({ first, count: RUN, refused: 12 }, cause) : undefined,
    );
    const { results, failure } = await applyAll(sink, inputs(25), { maxBytes: 0 });
    expect(results).toHaveLength(10);
    expect(sink.stored).toEqual(names(10));
    expect(failure).toMatchObject({ count: 10, error: { message: "resources[12].owner is gone" } });
  });

  test("blames no resource when the whole run failed", async () => {
    const cause = new DomainError("UNAVAILABLE", "STORE_UNAVAILABLE", "the database is not reachable");
    const sink = new FakeSink((first) => (first === 20 ? new RunError({ first, count: 5 }, cause) : undefined));
    const { results, failure } = await applyAll(sink, inputs(25), { maxBytes: 0 });
    expect(results).toHaveLength(20);
    expect(failure).toEqual({ count: 5, error: cause });
  });

  test("brings along the first resources that fit, when asked", async () => {
    const large = inputs(25, () => ({ specJson: JSON.stringify("x".repeat(10_000)) }));
    const { results } = await applyAll(new FakeSink(), large, { maxBytes: 50_000 });
    const whole = results.map(({ resource }) => resource !== undefined);
    expect(whole.indexOf(false)).toBeGreaterThan(1);
    expect(whole.lastIndexOf(true)).toBe(whole.indexOf(false) - 1);
  });

  test("leaves the rest when nobody waits for the answer any more", async () => {
    const caller = new AbortController();
    const sink = new FakeSink((first) => {
      if (first === 10) caller.abort();
      return undefined;
    });
    const applying = applyAll(sink, inputs(100), { maxBytes: 0, signal: caller.signal });
    await expect(applying).rejects.toThrowError("aborted");
    expect(sink.stored).toEqual(names(20));
  });
});
