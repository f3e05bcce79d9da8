import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasReason } from "../../../src/resource/errors.js";
import { parseLabelSelector } from "../../../src/resource/parse-label-selector.js";
import { type ListRequest, ResourceService } from "../../../src/state-manager/service/resource-service.js";
import { ResumeTokens } from "../../../src/state-manager/watch/resume-token.js";
import { openTestStore, type TestStore } from "../../support/store.js";
import { thing, thingKey } from "../../support/things.js";

let store: TestStore;
let tokens: ResumeTokens;
let service: ResourceService;
const watch = { tokenFor: (heads: Parameters<ResumeTokens["encode"]>[0]) => tokens.encode(heads) };

beforeAll(async () => {
  store = await openTestStore();
  tokens = new ResumeTokens(store.identity);
  service = new ResourceService({ ...store, watch });
});
afterAll(() => store.close());

const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error) => (hasReason(error, error.reason) ? error.reason : String(error)),
  );
const everything: ListRequest = {
  filter: {},
  pendingOnly: false,
  pageToken: "",
  offset: 0,
  maxBytes: 1 << 24,
  limit: 500,
};

describe("ResourceService", () => {
  test("creates, reads, replaces, applies, reports and removes one resource", async () => {
    const created = await service.create(thing("life", { specJson: '{"n":12345678901234567890}' }));
    expect(created).toMatchObject({ generation: 1n, specJson: '{"n":12345678901234567890}' });
    expect(await service.get(thingKey("life"), "STRONG")).toEqual(created);

    const updated = await service.update(thing("life", { finalizers: ["f"] }), { generation: 1n, uid: created.uid });
    expect(updated).toMatchObject({ generation: 2n, specJson: null });
    expect(await service.apply(thing("life"))).toMatchObject({ outcome: "UNCHANGED" });

    const status = {
      key: thingKey("life"),
      statusJson: "[1]",
      observedGeneration: 2n,
      metadata: undefined,
      expected: {},
    };
    expect(await service.updateStatus(status)).toMatchObject({
      generation: 2n,
      observedGeneration: 2n,
      statusJson: "[1]",
    });

    expect(await service.delete(thingKey("life"), {})).toMatchObject({ outcome: "DELETION_REQUESTED" });
    expect(await service.update(thing("life"), {})).toMatchObject({ finalizers: [] });
    expect(await reasonOf(service.get(thingKey("life"), "STRONG"))).toBe("NOT_FOUND");
  });

  test("stores nothing that is not valid", async () => {
    const before = store.committed.length;
    const status = {
      key: thingKey("x"),
      statusJson: "[",
      observedGeneration: undefined,
      metadata: undefined,
      expected: {},
    };
    expect(await reasonOf(service.create(thing("bad", { specJson: "1e131071" })))).toBe("INVALID_FIELD");
    expect(await reasonOf(service.apply(thing("bad", { shardId: "" })))).toBe("INVALID_FIELD");
    expect(await reasonOf(service.update(thing("bad", { specJson: "{" }), {}))).toBe("INVALID_JSON");
    expect(await reasonOf(service.updateStatus(status))).toBe("INVALID_JSON");
    expect(await reasonOf(service.delete(thingKey(""), {}))).toBe("INVALID_FIELD");
    expect(await reasonOf(service.get(thingKey("a\0"), "STRONG"))).toBe("INVALID_FIELD");
    expect(await reasonOf(service.list({ ...everything, filter: { name: "\0" } }))).toBe("INVALID_FIELD");
    expect(store.committed.length).toBe(before);
  });

  test("stores the hardest texts exactly as they came", async () => {
    const labels = new Map([
      ["__proto__", "x"],
      ["😀".repeat(255), ""],
    ]);
    const specJson =
      '{"__proto__": {"a":1e-400}, "deep":[[[[0.1000000000000000055511151231257827]]]], "s":"\\ud83d\\ude00\\u0001"}';
    const name = "a/b %41:@+ я 😀 \u0001";
    await service.create(thing(name, { labels, annotations: labels, specJson }));
    const read = await service.get(thingKey(name), "STRONG");
    expect(read).toMatchObject({ specJson, key: { name } });
    expect([...read.labels].sort()).toEqual([...labels].sort());
    expect([...read.annotations]).toEqual([...labels]);
  });

  test("answers CACHED from the cache, and from the store without one", async () => {
    const stored = await service.create(thing("cached"));
    const cached = { ...stored, generation: 99n };
    const cache = { get: async ({ name }: { name: string }) => (name === "cached" ? cached : undefined) };
    const withCache = new ResourceService({ ...store, watch, cache });
    expect(await withCache.get(thingKey("cached"), "CACHED")).toBe(cached);
    expect(await withCache.get(thingKey("cached"), "STRONG")).toEqual(stored);
    expect(await reasonOf(withCache.get(thingKey("gone"), "CACHED"))).toBe("NOT_FOUND");
    expect(await service.get(thingKey("cached"), "CACHED")).toEqual(stored);
  });
});

describe("list", () => {
  const labels = parseLabelSelector("page in (yes)");
  const request: ListRequest = { ...everything, filter: { labels }, limit: 2 };
  const names = ["p1", "p2", "p3", "p4", "p5"];

  beforeAll(async () => {
    for (const name of names) await service.create(thing(name, { labels: new Map([["page", "yes"]]) }));
  });

  test("covers everything once and carries one resume token, whatever is written meanwhile", async () => {
    const seen: string[] = [];
    const resumeTokens = new Set<string>();
    for (let pageToken = ""; ; ) {
      const page = await service.list({ ...request, pageToken });
      seen.push(...page.resources.map(({ key }) => key.name));
      resumeTokens.add(page.resumeToken);
      await service.update(thing(names[seen.length - 1] ?? "p5", { labels: new Map([["page", "yes"]]) }), {});
      if (page.nextPageToken === undefined) break;
      pageToken = page.nextPageToken;
    }
    expect(seen).toEqual(names);
    expect(resumeTokens.size).toBe(1);
    // I2: everything written since the first page lies behind the token.
    const [position] = tokens.decode([...resumeTokens][0] ?? "");
    const later = position === undefined ? [] : await store.log.read(0, position, 100);
    expect(later.length).toBe(3);
  });

  test("pages by offset, but not together with a token", async () => {
    const page = await service.list({ ...request, offset: 3 });
    expect(page.resources.map(({ key }) => key.name)).toEqual(["p4", "p5"]);
    expect(page.nextPageToken).toBeUndefined();
    const { nextPageToken: pageToken = "" } = await service.list(request);
    await expect(service.list({ ...request, pageToken, offset: 1 })).rejects.toThrow("offset must not be given with");
  });

  test("refuses a token of another filter", async () => {
    const { nextPageToken: pageToken = "" } = await service.list(request);
    await expect(service.list({ ...everything, pageToken })).rejects.toThrow(
      "page_token belongs to a list with another",
    );
  });

  test("lists without specs, which then do not count for the size of a page", async () => {
    const specJson = JSON.stringify(randomBytes(50_000).toString("base64"));
    for (const name of ["big-1", "big-2", "big-3"]) await service.create(thing(name, { shardId: "big", specJson }));
    const request = { ...everything, filter: { shardId: "big" }, maxBytes: 100_000 };
    const whole = await service.list(request);
    expect(whole.resources.map((resource) => resource.specJson)).toEqual([specJson]);
    const page = await service.list({ ...request, withoutSpec: true });
    expect(page.resources.map(({ key, specJson }) => [key.name, specJson])).toEqual([
      ["big-1", null],
      ["big-2", null],
      ["big-3", null],
    ]);
    expect(page.nextPageToken).toBeUndefined();
  });
});
