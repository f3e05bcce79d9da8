import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { expect, it, onTestFinished } from "vitest";
import { ResourceService } from "../../gen/reconcile/v1/resource_service_pb.js";
import { ApiError } from "../../src/client/index.js";
import { World } from "../support/world.js";

/** A resource as somebody means harm; what is left out is harmless. */
interface Hostile {
  readonly name?: string;
  readonly kind?: string;
  readonly shard?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  /** JSON text, or what claims to be. */
  readonly spec?: string;
}

interface Answer {
  readonly code: string;
  readonly message: string;
}

const NUL = "\0";
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, ""]));

/** What is sent, the words of the refusal, and whether it is the size that is wrong. */
const CASES: readonly (readonly [what: string, input: Hostile, words: RegExp, isSize?: boolean])[] = [
  ["a name with NUL", { name: `a${NUL}` }, /name must not contain the NUL/],
  ["a shard with NUL", { shard: `s${NUL}` }, /shard_id must not contain the NUL/],
  ["a label with NUL", { labels: { a: NUL } }, /labels\["?a"?\] must not contain the NUL/],
  ["an annotation with NUL", { annotations: { [`a${NUL}`]: "" } }, /annotations\[.*must not contain the NUL/],
  ["a finalizer with NUL", { finalizers: [NUL] }, /finalizers\[0\] must not contain the NUL/],
  ["a spec with NUL", { spec: '{"a":["\\u0000"]}' }, /spec\.a\[0\] must not contain/],
  ["half a surrogate in a spec", { spec: '"\\ud800"' }, /spec must be/],
  ["an over-long name", { name: "x".repeat(256) }, /name must be at most 255/],
  ["an over-long kind", { kind: "x".repeat(256) }, /kind must be at most 255/],
  ["an over-long shard", { shard: "x".repeat(256) }, /shard_id must be at most 255/],
  ["an over-long label", { labels: { a: "x".repeat(256) } }, /labels\["?a"?\] must be at most 255/],
  ["a label with =", { labels: { "a=b": "c" } }, /labels\["a=b"\]/],
  ["257 labels", { labels: many(257) }, /labels must have at most 256/],
  ["257 annotations", { annotations: many(257) }, /annotations must have at most 256/],
  ["65 finalizers", { finalizers: Object.keys(many(65)) }, /finalizers must have at most 64/],
  ["a number of 131,072 digits", { spec: "[1e131071]" }, /spec\[0\] must be within double/],
  ["nesting of 31 levels", { spec: "[".repeat(31) + "]".repeat(31) }, /spec(\[0\])+ must not be nested/],
  ["nesting of 100,000 levels", { spec: "[".repeat(100_000) + "]".repeat(100_000) }, /spec(\[0\])+ must not be nested/],
  ["a resource over 1 MiB", { spec: `"${"x".repeat(1 << 20)}"` }, /resource must be at most 1048576 bytes/, true],
  ["a request over 4 MiB", { spec: `"${"x".repeat(5 << 20)}"` }, /./, true],
];

it("refuses hostile input by name on REST, Connect and gRPC, stores nothing of it, and serves on (6)", {
  timeout: 60_000,
}, async () => {
  const world = await World.open({ replicas: 1 });
  const server = world.replica(0);
  const surfaces = { rest: restOf(server.url), connect: connectOf(server.url), grpc: grpcOf(server.url) };
  for (const [what, input, words, isSize = false] of CASES) {
    for (const [surface, create] of Object.entries(surfaces)) {
      const { code, message } = await create(input);
      const isPlainlyTooLarge =
        isSize && /MiB|bytes|size/.test(message) && ["413", "RESOURCE_EXHAUSTED"].includes(code);
      if (!isPlainlyTooLarge)
        expect([surface, what, code], message).toEqual([
          surface,
          what,
          surface === "rest" ? "400" : "INVALID_ARGUMENT",
        ]);
      expect(message, `${surface}: ${what}`).toMatch(isPlainlyTooLarge ? /./ : words);
      expect(message.length, "an error does not repeat what it refuses").toBeLessThan(1_000);
    }
  }
  for (const table of ["resources", "events", "work_items"])
    expect(await world.sql(`SELECT 1 FROM ${table}`)).toEqual([]);

  const odd = {
    labels: JSON.parse('{"__proto__":"x","constructor":"y"}'),
    spec: '{"__proto__":{"polluted":true},"constructor":1}',
  };
  for (const [surface, create] of Object.entries(surfaces)) {
    expect(await create({ ...odd, name: surface })).toMatchObject({ code: "" });
  }
  const rows = await world.sql<{ labels: object; spec: string }>("SELECT labels, spec::text FROM resources");
  expect(rows).toHaveLength(3);
  for (const { labels, spec } of rows) {
    expect(Object.entries(labels).sort()).toEqual([
      ["__proto__", "x"],
      ["constructor", "y"],
    ]);
    expect(spec).toBe(odd.spec);
  }
  expect(await (await fetch(`${server.url}/health/ready`)).json()).toEqual({ status: "ready" });
  expect(server.program.lines.filter(({ level }) => level === "error")).toEqual([]);
});

function restOf(url: string) {
  return async ({ name = "a", kind = "k", shard = "s", spec = "null", ...metadata }: Hostile): Promise<Answer> => {
    const path = `${url}/api/v1/groups/g/namespaces/n/kinds/${encodeURIComponent(kind)}/resources`;
    const fields = JSON.stringify({ name, shard_id: shard, ...metadata });
    // The spec as it is: it may be no JSON that a parser here would take.
    const response = await fetch(path, { method: "POST", body: `${fields.slice(0, -1)},"spec":${spec}}` });
    const { error = "" } = (await response.json()) as { error?: string };
    return { code: response.ok ? "" : String(response.status), message: error };
  };
}

function connectOf(url: string) {
  return async (input: Hostile): Promise<Answer> => {
    const response = await fetch(`${url}/reconcile.v1.ResourceService/CreateResource`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ resource: toMessage(input) }),
    });
    const { code = "", message = "" } = (await response.json()) as Partial<Answer>;
    return { code: code.toUpperCase(), message };
  };
}

function grpcOf(url: string) {
  const sessionManager = new Http2SessionManager(url);
  onTestFinished(() => sessionManager.abort());
  const client = createClient(ResourceService, createGrpcTransport({ baseUrl: url, sessionManager }));
  return (input: Hostile): Promise<Answer> =>
    client.createResource({ resource: toMessage(input) }).then(
      () => ({ code: "", message: "" }),
      (error: unknown) => ApiError.from(error),
    );
}

function toMessage({ name = "a", kind = "k", shard = "s", spec = "", finalizers = [], ...metadata }: Hostile) {
  return {
    key: { resourceGroup: "g", kind, namespace: "n", name },
    shardId: shard,
    specJson: spec,
    finalizers: [...finalizers],
    ...metadata,
  };
}
