import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServer } from "../../support/server.js";

let server: Awaited<ReturnType<typeof startServer>>;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

type Json = Record<string, unknown>;
interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: Json;
  readonly headers: Headers;
}

const COLLECTION = "/api/v1/groups/apps/namespaces/default/kinds/widget/resources";

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const init: RequestInit = { method, headers };
  if (body !== undefined)
    init.body = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const response = await fetch(server.url + path, init);
  const text = await response.text();
  const isJson = text !== "" && response.headers.get("content-type") === "application/json";
  return { status: response.status, text, body: isJson ? JSON.parse(text) : {}, headers: response.headers };
}

let count = 0;
function freshName(): string {
  count += 1;
  return `thing-${count}`;
}

async function create(fields: Json = {}): Promise<Json & { name: string }> {
  const created = await call("POST", COLLECTION, { shard_id: "s1", name: freshName(), ...fields });
  expect(created.status, created.text).toBe(201);
  return created.body as Json & { name: string };
}

describe("create and get", () => {
  test("answers 201 with every field, under both forms of the path", async () => {
    for (const path of [COLLECTION, `${COLLECTION}/`]) {
      const name = freshName();
      const { status, body } = await call("POST", path, { shard_id: "s1", name, spec: { a: 1 } });
      expect(status).toBe(201);
      expect(body).toMatchObject({
        resource_group: "apps",
        kind: "widget",
        namespace: "default",
        name,
        shard_id: "s1",
        labels: {},
        annotations: null,
        finalizers: null,
        deletion_timestamp: null,
        version: 1,
        current_version: 0,
        spec: { a: 1 },
        status: null,
      });
      expect(body.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      expect(body).not.toHaveProperty("id");
      expect((await call("GET", `${COLLECTION}/${name}`)).body).toEqual(body);
      expect((await call("GET", `${COLLECTION}/${name}/`)).body).toEqual(body);
    }
  });

  test("returns spec and status as they were written", async () => {
    const spec =
      '{ "z":1, "a":[9007199254740993,12345678901234567890, 0.1000000000000000055511151231257827,1e5,-0],\n"é":"\\u00e9" }';
    const name = freshName();
    const created = await call(
      "POST",
      COLLECTION,
      `{"name":"${name}","shard_id":"s1","spec": ${spec} ,"x":{"spec":0}}`,
    );
    expect(created.text).toContain(`"spec":${spec},"status":null}`);
    const status = await call("PUT", `${COLLECTION}/${name}/status`, `{"shard_id":"s1","version":1,"status":${spec}}`);
    expect(status.text).toContain(`"status":${spec}}`);
    expect((await call("GET", `${COLLECTION}/${name}`)).text).toBe(status.text);
  });

  test("takes any content type, and a body with unknown and foreign fields", async () => {
    const name = freshName();
    const body = {
      shard_id: "s1",
      name,
      KillTimestamp: 1,
      Generation: "x",
      deletion_timestamp: "",
      created_at: 5,
      kind: "other",
    };
    for (const type of ["application/x-www-form-urlencoded", "text/plain"]) {
      const { status, body: created } = await call(
        "POST",
        COLLECTION,
        { ...body, name: name + type },
        { "content-type": type },
      );
      expect(status).toBe(201);
      expect(created.kind).toBe("widget");
    }
  });

  test.each([
    "with space",
    "a/b",
    "%41",
    "a+b",
    "a:b@c",
    "Привет",
    "🚀",
    "?x=1&y#z",
    "...",
    "status",
    "__proto__",
    "a%2Fb",
    "\\",
    "'\"<>",
  ])("round-trips the name %j, decoded once", async (name) => {
    const created = await call("POST", `/api/v1/groups/g%2B+/namespaces/n%20/kinds/k%25/resources`, {
      shard_id: "s",
      name,
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ resource_group: "g++", namespace: "n ", kind: "k%", name });
    const path = `/api/v1/groups/g%2B%2B/namespaces/n%20/kinds/k%25/resources/${encodeURIComponent(name)}`;
    expect((await call("GET", path)).body).toEqual(created.body);
    expect((await call("DELETE", path)).status).toBe(204);
    expect((await call("GET", path)).status).toBe(404);
  });

  test.each([".", ".."])("refuses the name %j, which fetch resolves before it sends it", async (name) => {
    const { status, body } = await call("POST", COLLECTION, { shard_id: "s1", name });
    expect(status).toBe(400);
    expect(body.error).toMatch(/^Validation failed: name must not be "\.+": clients that normalise URLs/);
  });

  test("the first pass of an operator without leases, status and finalizer in one, settles the resource", async () => {
    const name = freshName();
    const { body: read } = await call("POST", COLLECTION, { shard_id: "s1", name });
    const path = `${COLLECTION}/${name}`;
    const workOf = async () => (await call("GET", `${path}/work`)).body.state;
    expect(await workOf()).toBe("DUE");
    const pass = { ...read, status: { ok: true }, finalizers: ["operator"], current_version: 1 };
    expect((await call("PUT", `${path}/status`, pass)).status).toBe(200);
    expect(await workOf()).toBe("SETTLED");
    // The finalizer keeps it then, and whoever put it on has work until it goes.
    await call("DELETE", path);
    const deleting = { ...pass, version: 2, current_version: 2 };
    expect((await call("PUT", `${path}/status`, deleting)).status).toBe(200);
    expect(await workOf()).toBe("DUE");
    expect((await call("PUT", path, { ...deleting, finalizers: [] })).status).toBe(200);
    expect((await call("GET", path)).status).toBe(404);
  });

  test("refuses a finalizer for what is being deleted, and takes the same ones again", async () => {
    const name = freshName();
    expect((await call("POST", COLLECTION, { shard_id: "s1", name, finalizers: ["a", "b"] })).status).toBe(201);
    const path = `${COLLECTION}/${name}`;
    expect((await call("DELETE", path)).status).toBe(204);
    const read = (await call("GET", path)).body;
    expect((await call("PUT", `${path}/status`, { ...read, current_version: 2 })).status).toBe(200);
    const refused = await call("PUT", `${path}/status`, { ...read, finalizers: ["a", "b", "c"] });
    expect(refused.status).toBe(400);
    expect(refused.body.error).toMatch(/^Validation failed: finalizers must not add "c" while .* is being deleted/);
    expect((await call("PUT", path, { ...read, finalizers: ["b", "a"] })).status).toBe(200);
    expect((await call("PUT", path, { ...read, version: 3, finalizers: [] })).status).toBe(200);
    expect((await call("GET", path)).status).toBe(404);
  });

  test("keeps labels such as __proto__", async () => {
    const name = freshName();
    const text = `{"shard_id":"s1","name":"${name}","labels":{"__proto__":"x","constructor":"","a":"b"},"annotations":{"__proto__":"y"}}`;
    const created = await call("POST", COLLECTION, text);
    expect(created.status).toBe(201);
    expect(Object.entries(created.body.labels as Json).sort()).toEqual([
      ["__proto__", "x"],
      ["a", "b"],
      ["constructor", ""],
    ]);
    expect(created.text).toContain('"annotations":{"__proto__":"y"}');
    expect((await call("GET", `${COLLECTION}/${name}`)).body).toEqual(created.body);
  });
});

describe("replace", () => {
  test("raises the version, keeps the status, removes absent metadata", async () => {
    const { name } = await create({ labels: { a: "b" }, annotations: { c: "d" }, finalizers: ["f"], spec: 1 });
    await call("PUT", `${COLLECTION}/${name}/status`, {
      shard_id: "s1",
      version: 1,
      current_version: 1,
      status: { ok: true },
      labels: { a: "b" },
      finalizers: ["f"],
    });
    const { status, body } = await call("PUT", `${COLLECTION}/${name}`, {
      shard_id: "s2",
      status: "ignored",
      current_version: 9,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      version: 2,
      current_version: 1,
      status: { ok: true },
      spec: null,
      labels: {},
      annotations: null,
      finalizers: null,
      shard_id: "s2",
    });
  });

  test("checks version when it is given, 0 too, and not when it is absent or null", async () => {
    const { name } = await create();
    const put = (version: unknown) => call("PUT", `${COLLECTION}/${name}`, { shard_id: "s1", version });
    expect((await put(undefined)).status).toBe(200);
    expect((await put(null)).status).toBe(200);
    expect((await put(3)).status).toBe(200);
    for (const wrong of [0, 3, 5, -1]) {
      const { status, body } = await put(wrong);
      expect(status).toBe(409);
      expect(body.error).toMatch(/^Version conflict: /);
    }
  });

  test("tells 2^53 from its neighbours", async () => {
    const { name } = await create();
    const { status, body } = await call("PUT", `${COLLECTION}/${name}`, '{"shard_id":"s1","version":9007199254740993}');
    expect(status).toBe(409);
    expect(body.error).toContain("9007199254740993");
  });

  test("sends the whole object it read", async () => {
    const created = await create({ labels: { a: "b" }, spec: { n: 1 } });
    const { status, body } = await call("PUT", `${COLLECTION}/${created.name}`, created);
    expect(status).toBe(200);
    expect(body).toMatchObject({ version: 2, labels: { a: "b" }, spec: { n: 1 } });
  });
});

describe("replace status", () => {
  test("replaces status and metadata and leaves version and spec", async () => {
    const { name } = await create({ spec: { n: 1 }, labels: { a: "b" }, annotations: { x: "y" }, finalizers: ["f"] });
    const put = await call("PUT", `${COLLECTION}/${name}/status`, {
      shard_id: "s9",
      version: 1,
      current_version: 1,
      status: [1],
      spec: "ignored",
      labels: { c: "d" },
    });
    expect(put.status).toBe(200);
    expect(put.body).toMatchObject({
      version: 1,
      current_version: 1,
      spec: { n: 1 },
      status: [1],
      labels: { c: "d" },
      annotations: null,
      finalizers: null,
      shard_id: "s9",
    });
  });

  test("absent current_version is 0 and absent status is null", async () => {
    const { name } = await create();
    const path = `${COLLECTION}/${name}/status`;
    await call("PUT", path, { shard_id: "s1", version: 1, current_version: 1, status: 1 });
    expect((await call("PUT", path, { shard_id: "s1", version: 1 })).body).toMatchObject({
      current_version: 0,
      status: null,
    });
  });

  test("always needs the version, and an observed one that exists", async () => {
    const { name } = await create();
    const put = (fields: Json) => call("PUT", `${COLLECTION}/${name}/status`, { shard_id: "s1", ...fields });
    for (const version of [undefined, null, 0, 2]) {
      const answer = await put({ version, current_version: 99 });
      expect(answer.status).toBe(409);
      expect(answer.body.error).toMatch(/^Version conflict: /);
    }
    const ahead = await put({ version: 1, current_version: 2 });
    expect(ahead.status).toBe(400);
    expect(ahead.body.error).toMatch(/^Current version unavailable: /);
  });
});

describe("delete", () => {
  test("removes at once without finalizers; the name is free and starts at version 1", async () => {
    const { name } = await create();
    const removed = await call("DELETE", `${COLLECTION}/${name}`);
    expect([removed.status, removed.text]).toEqual([204, ""]);
    expect((await call("DELETE", `${COLLECTION}/${name}`)).status).toBe(404);
    expect((await create({ name })).version).toBe(1);
  });

  test("marks for deletion once while finalizers hold it", async () => {
    const { name } = await create({ finalizers: ["f"] });
    const path = `${COLLECTION}/${name}`;
    expect((await call("DELETE", path)).status).toBe(204);
    const marked = (await call("GET", path)).body;
    expect(marked).toMatchObject({ version: 2, finalizers: ["f"] });
    expect(marked.deletion_timestamp).toMatch(/Z$/);
    expect((await call("DELETE", path)).status).toBe(204);
    expect((await call("GET", path)).body).toEqual(marked);
    const kept = await call("PUT", path, { shard_id: "s1", finalizers: ["f"], deletion_timestamp: null });
    expect(kept.body).toMatchObject({ version: 3, deletion_timestamp: marked.deletion_timestamp });
  });

  test.each(["", "/status"])(
    "PUT%s without finalizers removes what is marked, after the version check",
    async (suffix) => {
      const { name } = await create({ finalizers: ["f"] });
      const path = `${COLLECTION}/${name}`;
      await call("DELETE", path);
      expect((await call("PUT", path + suffix, { shard_id: "s1", version: 1 })).status).toBe(409);
      const last = await call("PUT", path + suffix, { shard_id: "s1", version: 2, finalizers: [] });
      expect(last.status).toBe(200);
      expect(last.body).toMatchObject({ name, finalizers: null });
      expect((await call("GET", path)).status).toBe(404);
    },
  );
});

test("every JSON answer ends with a line break, and the length says so", async () => {
  const { name } = await create();
  const answers = [
    await call("GET", `${COLLECTION}/${name}`),
    await call("GET", `${COLLECTION}/none`),
    await call("GET", "/api/v1/resources?limit=1"),
    await call("GET", "/api/v1/kinds"),
    await call("PATCH", COLLECTION),
    await call("GET", "/health/live"),
    await call("GET", "/openapi.json"),
  ];
  for (const { text, headers } of answers) {
    expect(text).toMatch(/[^\n]\n$/);
    expect(headers.get("content-length")).toBe(`${Buffer.byteLength(text)}`);
  }
});

describe("errors", () => {
  test.each(["gzip", "br", "deflate", "gzip, br", "GZIP", "nothing-known"])(
    "a body with Content-Encoding %s is 415 and named, not 400 about UTF-8",
    async (coding) => {
      const body = gzipSync(JSON.stringify({ shard_id: "s", name: "zipped" }));
      for (const [method, path] of [
        ["POST", COLLECTION],
        ["PUT", `${COLLECTION}/zipped`],
        ["PUT", `${COLLECTION}/zipped/status`],
      ] as const) {
        const answer = await call(method, path, body, { "content-encoding": coding });
        expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, "identity"]);
        expect(answer.body.error).toContain(`"${coding.toLowerCase()}"`);
      }
    },
  );

  test("a body with Content-Encoding identity is as it is", async () => {
    const fields = { shard_id: "s", name: freshName() };
    expect((await call("POST", COLLECTION, fields, { "content-encoding": "Identity" })).status).toBe(201);
  });

  test.each<[string, string, RegExp]>([
    ["no JSON", "{", /^Invalid JSON: /],
    ["an empty body", "", /^Invalid JSON: /],
    ["an array", "[]", /^Invalid JSON: the body must be an object/],
    ["null", "null", /^Invalid JSON: the body must be an object/],
    ["a byte order mark that is not the first character", " \ufeff{}", /^Invalid JSON: /],
    [
      "a label that is a number",
      '{"shard_id":"s","name":"n","labels":{"a":1}}',
      /^Invalid JSON: labels\["a"\] must be a string/,
    ],
    ["labels that are a list", '{"shard_id":"s","name":"n","labels":[]}', /^Invalid JSON: labels must be an object/],
    [
      "finalizers that are a string",
      '{"shard_id":"s","name":"n","finalizers":"f"}',
      /^Invalid JSON: finalizers must be an array/,
    ],
    [
      "a finalizer that is null",
      '{"shard_id":"s","name":"n","finalizers":[null]}',
      /^Invalid JSON: finalizers\[0\] must be a string/,
    ],
    ["a name that is a number", '{"shard_id":"s","name":5}', /^Invalid JSON: name must be a string/],
    ["no shard_id", '{"name":"n"}', /^Validation failed: shard_id must not be empty/],
    ["a null shard_id", '{"name":"n","shard_id":null}', /^Validation failed: shard_id must not be empty/],
    ["no name", '{"shard_id":"s"}', /^Validation failed: name must not be empty/],
    ["a label key with =", '{"shard_id":"s","name":"n","labels":{"a=b":"c"}}', /^Validation failed: labels\["a=b"\]/],
    ["an empty label key", '{"shard_id":"s","name":"n","labels":{"":"c"}}', /^Validation failed: labels\[""\]/],
    ["NUL in a name", '{"shard_id":"s","name":"n\\u0000"}', /^Validation failed: name must not contain the NUL/],
    [
      "NUL in spec",
      '{"shard_id":"s","name":"n","spec":{"a":["\\u0000"]}}',
      /^Validation failed: spec\.a\[0\] must not contain/,
    ],
    ["half a surrogate", '{"shard_id":"s","name":"\\ud800"}', /^Validation failed: name must be Unicode/],
    [
      "a long name",
      JSON.stringify({ shard_id: "s", name: "x".repeat(256) }),
      /^Validation failed: name must be at most 255/,
    ],
    [
      "a huge number",
      '{"shard_id":"s","name":"n","spec":{"a":[1e131071]}}',
      /^Validation failed: spec\.a\[0\] must be within double/,
    ],
    [
      "deep nesting",
      `{"shard_id":"s","name":"n","spec":${"[".repeat(31)}${"]".repeat(31)}}`,
      /^Validation failed: spec(\[0\])+ must not/,
    ],
    [
      "257 labels",
      JSON.stringify({
        shard_id: "s",
        name: "n",
        labels: Object.fromEntries(Array.from({ length: 257 }, (_, i) => [i, ""])),
      }),
      /^Validation failed: labels must have at most 256/,
    ],
  ])("POST with %s is 400", async (_what, body, error) => {
    const answer = await call("POST", COLLECTION, body);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatch(error);
    expect(Object.keys(answer.body)).toEqual(["error"]);
  });

  test.each<[string, string, Json]>([
    ["POST", "", { name: "n", version: "1" }],
    ["POST", "", { name: "n", current_version: "1" }],
    ["POST", "", { name: "n", version: 1.5 }],
    ["PUT", "/n", { version: "1" }],
    ["PUT", "/n", { current_version: {} }],
    ["PUT", "/n", { name: 5 }],
    ["PUT", "/n/status", { version: "1" }],
    ["PUT", "/n/status", { version: 1, current_version: "1" }],
  ])("%s %s with %j is Invalid JSON, used or not", async (method, suffix, fields) => {
    const answer = await call(method, COLLECTION + suffix, { shard_id: "s", ...fields });
    expect([answer.status, answer.body.error]).toEqual([
      400,
      expect.stringMatching(/^Invalid JSON: (version|current_version|name) must be a/),
    ]);
  });

  test("null and absent counters are fine where they are ignored", async () => {
    await create({ version: null, current_version: null });
  });

  test("accepts the limits themselves", async () => {
    await create({
      name: "ü".repeat(255),
      labels: { ["🚀".repeat(255)]: "🚀".repeat(255), empty: "" },
      finalizers: Array.from({ length: 64 }, (_, i) => `f${i}`),
      spec: JSON.parse("[".repeat(30) + "]".repeat(30)),
    });
  });

  test("bad UTF-8 is not stored as something else", async () => {
    const bytes = Buffer.concat([Buffer.from('{"shard_id":"s","name":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const answer = await call("POST", COLLECTION, bytes);
    expect([answer.status, answer.body.error]).toEqual([400, "Invalid JSON: the body must be UTF-8 text"]);
    const path = await call("GET", `${COLLECTION}/%ff`);
    expect([path.status, path.body.error]).toEqual([
      400,
      'Validation failed: name must be percent-encoded UTF-8 in the path, not "%ff"',
    ]);
  });

  test("a body over the limit is 413, told by length or found out", async () => {
    const big = "x".repeat(5 << 20);
    expect((await call("POST", COLLECTION, big)).status).toBe(413);
    const stream = new ReadableStream({
      start(controller) {
        for (let i = 0; i < 5; i++) controller.enqueue(new Uint8Array(1 << 20));
        controller.close();
      },
    });
    const chunked = await fetch(server.url + COLLECTION, {
      method: "POST",
      body: stream,
      duplex: "half",
    } as RequestInit);
    expect(chunked.status).toBe(413);
    const whole = await call("POST", COLLECTION, { shard_id: "s", name: "n", spec: "x".repeat(1 << 20) });
    expect([whole.status, whole.body.error]).toEqual([
      413,
      expect.stringContaining("resource must be at most 1048576 bytes"),
    ]);
  });

  test("an existing key is 400", async () => {
    const { name } = await create();
    const answer = await call("POST", COLLECTION, { shard_id: "other", name });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatch(/^Already exists: /);
  });

  test("a missing resource is 404 for every operation", async () => {
    const path = `${COLLECTION}/missing`;
    for (const [method, suffix] of [
      ["GET", ""],
      ["PUT", ""],
      ["PUT", "/status"],
      ["DELETE", ""],
    ]) {
      const body = method === "PUT" ? { shard_id: "s1", version: 7, current_version: 9 } : undefined;
      expect((await call(method ?? "", path + suffix, body)).status).toBe(404);
    }
  });

  test("checks in order: JSON, required fields, labels, existence", async () => {
    const path = `${COLLECTION}/missing`;
    const errorOf = async (body: string) => (await call("PUT", path, body)).body.error;
    expect(await errorOf('{"labels":{"=":1}}')).toMatch(/^Invalid JSON: labels/);
    expect(await errorOf('{"labels":{"=":"1"}}')).toMatch(/^Validation failed: shard_id/);
    expect(await errorOf('{"shard_id":"s","labels":{"=":"1"}}')).toMatch(/^Validation failed: labels/);
    expect(await errorOf('{"shard_id":"s"}')).toMatch(/does not exist/);
  });
});

describe("paths and methods", () => {
  test.each([
    "/api/v1",
    "/api/v1/",
    "/api/v2/resources",
    "/api/v1/groups/a",
    `${COLLECTION}/a/b`,
    `${COLLECTION}/a/status/b`,
    `${COLLECTION}//`,
    "/api/v1/groups//namespaces/b/kinds/c/resources",
    "/nothing",
  ])("%s is 404", async (path) => {
    const answer = await call("GET", path);
    expect(answer.status).toBe(404);
    expect(answer.body.error).toEqual(expect.any(String));
  });

  test.each<[string, string, string]>([
    ["GET", COLLECTION, "POST, OPTIONS"],
    ["PATCH", `${COLLECTION}/a`, "GET, HEAD, PUT, DELETE, OPTIONS"],
    ["POST", `${COLLECTION}/a/status`, "PUT, OPTIONS"],
    ["POST", "/api/v1/resources/", "GET, HEAD, OPTIONS"],
    ["DELETE", "/api/v1/watch", "GET, OPTIONS"],
    ["POST", "/health/live", "GET, HEAD, OPTIONS"],
  ])("%s %s is 405 with Allow", async (method, path, allow) => {
    const answer = await call(method, path, method === "GET" ? undefined : "{}");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
    expect(answer.body.error).toContain(method);
  });

  test.each([COLLECTION, "/api/v1/resources", "/nothing", "/health/live"])("OPTIONS %s is 204", async (path) => {
    expect((await call("OPTIONS", path)).status).toBe(204);
  });

  test("HEAD tells what GET would", async () => {
    const { name } = await create();
    const head = await call("HEAD", `${COLLECTION}/${name}`);
    expect([head.status, head.text]).toEqual([200, ""]);
    const length = (await call("GET", `${COLLECTION}/${name}`)).headers.get("content-length");
    expect(head.headers.get("content-length")).toBe(length);
  });
});

describe("list", () => {
  const list = (query: string) => call("GET", `/api/v1/resources${query}`);
  const names = (answer: Answer) => (answer.body as unknown as { name: string }[]).map(({ name }) => name);

  beforeAll(async () => {
    for (const name of ["l1", "l2", "l3", "l4", "l5"]) {
      const shard = name === "l5" ? "other" : "s1";
      const labels = { tier: name === "l1" ? "web" : "api", [name]: "", q: "a b,c" };
      const path = "/api/v1/groups/list/namespaces/ns/kinds/k/resources";
      expect(await call("POST", path, { shard_id: shard, name, labels })).toMatchObject({ status: 201 });
    }
    await call("PUT", "/api/v1/groups/list/namespaces/ns/kinds/k/resources/l2/status", {
      shard_id: "s1",
      version: 1,
      current_version: 1,
    });
  });

  test("is a bare array in creation order, [] when empty", async () => {
    expect(names(await list("?resource_group=list"))).toEqual(["l1", "l2", "l3", "l4", "l5"]);
    expect((await list("/?resource_group=nothing")).text).toBe("[]\n");
  });

  test.each<[string, string[]]>([
    ["shard_id=other", ["l5"]],
    ["shard_id=", ["l1", "l2", "l3", "l4", "l5"]],
    ["name=l3&kind=k&namespace=ns", ["l3"]],
    ["namespace=other", []],
    ["label_selector=", ["l1", "l2", "l3", "l4", "l5"]],
    ["limit=2", ["l1", "l2"]],
    ["limit=2&offset=3", ["l4", "l5"]],
    ["limit=0&offset=4", ["l5"]],
    ["limit=ten&offset=x4", ["l1", "l2", "l3", "l4", "l5"]],
    ["limit=%2B1", ["l1"]],
    ["limit=10000", ["l1", "l2", "l3", "l4", "l5"]],
    ["pending=1", ["l1", "l3", "l4", "l5"]],
    ["pending=T", ["l1", "l3", "l4", "l5"]],
    ["pending=True", ["l1", "l3", "l4", "l5"]],
    ["pending=false", ["l1", "l2", "l3", "l4", "l5"]],
    ["pending=", ["l1", "l2", "l3", "l4", "l5"]],
    ["label_selector=tier%20in%20(web)", ["l1"]],
    ["label_selector=tier+IN+(web,api)+,+l3+in+()", ["l3"]],
    ["label_selector=q%20in%20(%22a%20b%2Cc%22)&limit=1", ["l1"]],
  ])("?%s", async (query, expected) => {
    const answer = await list(`?resource_group=list&${query}`);
    expect(answer.status, answer.text).toBe(200);
    expect(names(answer)).toEqual(expected);
  });

  test.each([
    "limit=-1",
    "limit=10001",
    "limit=99999999999999999999",
    `limit=${"9".repeat(101)}`,
    `limit=-${"9".repeat(101)}`,
    `offset=${"9".repeat(101)}`,
    "offset=-1",
    "label_selector=%20",
    "label_selector=tier",
    "label_selector=tier%3Dweb",
    "label_selector=a%20in%20(b),",
    "label_selector=a%20in%20(b",
    "label_selector=a%20in%20(%22b)",
    "label_selector=a%20in%20(b)x",
    `label_selector=${Array.from({ length: 7 }, (_, i) => `k${i}%20in%20(v)`).join(",")}`,
    "page_token=x",
    "kind=%00",
  ])("?%s is 400", async (query) => {
    const answer = await list(`?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toEqual(expect.any(String));
  });

  test("a page token goes with neither an offset nor another filter", async () => {
    const token = (await list("?resource_group=list&limit=2")).headers.get("next-page-token");
    const withOffset = await list(`?resource_group=list&limit=2&offset=1&page_token=${token}`);
    expect([withOffset.status, withOffset.body.error]).toEqual([
      400,
      "Validation failed: offset must not be given with page_token; use one of them",
    ]);
    for (const other of ["resource_group=list&kind=k", "resource_group=other", "resource_group=list&pending=1"]) {
      const answer = await list(`?${other}&limit=2&page_token=${token}`);
      expect([answer.status, answer.body.error]).toEqual([400, expect.stringContaining("page_token")]);
    }
  });

  test("pages by token", async () => {
    const seen: string[] = [];
    let token: string | null = "";
    while (token !== null) {
      const page: Answer = await list(`?resource_group=list&limit=2&page_token=${token}`);
      seen.push(...names(page));
      token = page.headers.get("next-page-token");
    }
    expect(seen).toEqual(["l1", "l2", "l3", "l4", "l5"]);
  });
});
