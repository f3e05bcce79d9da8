/** The samples of the documents, held against a server: what changes from run to run is left out, the rest is as written. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reconcile } from "../cli/reconcile.js";
import { runDirectory } from "../support/run-directory.js";
import { startServer, type TestServer } from "../support/server.js";
import { bodyIn, fieldsOf, parseSample, sampleWith } from "./samples.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

type Json = Record<string, unknown>;

async function call(path: string, body?: unknown, method = body === undefined ? "GET" : "POST"): Promise<Json> {
  const headers = { "content-type": "application/json" };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(server.url + path, { method, headers, ...sent });
  const text = await response.text();
  return text === "" ? {} : (JSON.parse(text) as Json);
}

/** Every field of the sample is in the answer, and, where the sample shows an object, no other. Map entries are the caller's own. */
function expectSameFields(answer: unknown, sample: unknown, own: RegExp = /^$/): void {
  const seen = fieldsOf(answer).filter((path) => !own.test(path));
  const shown = fieldsOf(sample).filter((path) => !own.test(path));
  const shownParents = new Set(shown.map((path) => path.replace(/\.[^.]*$/, "")));
  expect(seen.filter((path) => shownParents.has(path.replace(/\.[^.]*$/, ""))).sort()).toEqual([...shown].sort());
}

describe("docs/rest-api.md", () => {
  const RESOURCES = "/api/v1/groups/apps/namespaces/default/kinds/widget/resources";

  beforeAll(async () => {
    const owned = { shard_id: "s1", spec: { any: "JSON" }, labels: { tier: "web" } };
    await call(RESOURCES, { ...owned, name: "a" });
    await call(RESOURCES, { ...owned, name: "going", finalizers: ["apps/widget"] });
    await call(`${RESOURCES}/going`, undefined, "DELETE");
  });

  test("a resource", async () => {
    const sample = parseSample(sampleWith("rest-api.md", "json", '"write_count": 1'));
    expectSameFields(await call(`${RESOURCES}/a`), sample);
  });

  test("ApplyResources", async () => {
    const answer = await call(
      "/reconcile.v1.ResourceService/ApplyResources",
      bodyIn(sampleWith("rest-api.md", "sh", "ApplyResources")),
    );
    expectSameFields(answer, parseSample(sampleWith("rest-api.md", "json", "APPLY_RESULT_CREATED")));
    expect(answer.results).toMatchObject([{ result: "APPLY_RESULT_CREATED" }, { result: "APPLY_RESULT_CREATED" }]);
  });

  test("history", async () => {
    expectSameFields(
      await call(`${RESOURCES}/a/history`),
      parseSample(sampleWith("rest-api.md", "json", '"committed_at"')),
    );
  });

  test("kinds", async () => {
    expectSameFields(await call("/api/v1/kinds"), parseSample(sampleWith("rest-api.md", "json", '"counted_at"')));
  });

  test("work", async () => {
    const sample = parseSample(sampleWith("rest-api.md", "json", '"owned_resources"'));
    expectSameFields(await call(`${RESOURCES}/going/work`), sample);
  });
});

test("docs/reconcile-with-curl.md, call by call", async () => {
  const PAGE = "reconcile-with-curl.md";
  const rpc = (name: string, body: unknown) => call(`/reconcile.v1.ReconcilerService/${name}`, body);
  const greetings = "/api/v1/groups/demo/namespaces/default/kinds/greeting/resources";
  await call(greetings, bodyIn(sampleWith(PAGE, "sh", '"shard_id"')));

  const registered = await rpc("Register", bodyIn(sampleWith(PAGE, "sh", "rpc Register")));
  const registration = parseSample(sampleWith(PAGE, "json", '"sessionId"')) as Json;
  expect({ ...registered, sessionId: registration.sessionId }).toEqual(registration);
  const { sessionId } = registered;

  const { items } = (await rpc("Lease", { sessionId, maxItems: 1, wait: "10s" })) as {
    readonly items: readonly [Json & { readonly resource: Json }];
  };
  const sample = parseSample(sampleWith(PAGE, "json", '"leaseToken"')) as { readonly resource: Json };
  const [item] = items;
  expectSameFields(item, sample);
  const { key, specJson, statusJson, generation, writeCount } = item.resource;
  expect({ key, specJson, statusJson, generation, writeCount }).toEqual({
    key: sample.resource.key,
    // Spec as JSON text, to the letter: here as this test has written it.
    specJson: JSON.stringify(JSON.parse(String(sample.resource.specJson))),
    statusJson: sample.resource.statusJson,
    generation: sample.resource.generation,
    writeCount: sample.resource.writeCount,
  });

  const { leaseToken } = item;
  expect(await rpc("Renew", { sessionId, leaseTokens: [leaseToken] })).toEqual({});
  const report = {
    ...{ key, leaseToken, result: "PASS_RESULT_SUCCESS", observedGeneration: generation },
    statusJson: '{"greeting":"Hello, Ada"}',
  };
  expect(await rpc("Report", { sessionId, reports: [report] })).toEqual(
    parseSample(sampleWith(PAGE, "json", "REPORT_OUTCOME_ACCEPTED")),
  );
  expect(await rpc("Report", { sessionId, reports: [report] })).toEqual(
    parseSample(sampleWith(PAGE, "json", "REPORT_OUTCOME_STALE")),
  );
  await rpc("Deregister", { sessionId });
  expect((await call(`${greetings}/ada`)).status).toEqual(parseSample(sampleWith(PAGE, "json", '{ "greeting"')));
});

describe("docs/cli.md", () => {
  /** What differs from run to run. */
  function stable(text: string): readonly string[] {
    return text
      .trimEnd()
      .split("\n")
      .map((line) =>
        line
          .replace(/server \S+ at \S+, up for \S+/, "server V at URL, up for T")
          .replace(/PostgreSQL \d+(\.\d+)?, answers in \S+ ms/, "PostgreSQL V, answers in T ms")
          .replace(/none of the \d+ resources/, "none of the N resources"),
      );
  }

  test("doctor: the schema is the one that the server has", async () => {
    const sample = sampleWith("cli.md", "console", "$ reconcile doctor\n").replace("$ reconcile doctor\n", "");
    const { out } = await reconcile(["doctor", "--server", server.url]);
    // Kinds without a reconciler are this store's own.
    expect(stable(out).filter((line) => !line.startsWith("note "))).toEqual(stable(sample));
  });

  test("contexts", async () => {
    const lines = sampleWith("cli.md", "console", "config set-context").trimEnd().split("\n");
    const env = { RECONCILE_CONFIG: join(mkdtempSync(join(runDirectory(), "docs-")), "config.json") };
    const outs: string[] = [];
    for (const line of lines.filter((text) => text.startsWith("$ reconcile "))) {
      outs.push(line, (await reconcile(line.split(" ").slice(2), { env })).out.trimEnd());
    }
    expect(outs).toEqual(lines);
  });

  test("the head of a listing", async () => {
    const head = /^NAME .*$/m.exec(sampleWith("cli.md", "console", "cat blog.yaml"))?.[0].split(/ +/);
    await reconcile(["apply", "-f", "-", "--server", server.url], {
      stdin: "group: examples\nkind: page\nname: blog\nspec: {}\n",
    });
    const { out } = await reconcile(["get", "page", "--server", server.url]);
    expect(out.split("\n")[0]?.trim().split(/ +/)).toEqual(head);
  });
});
