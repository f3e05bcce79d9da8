import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPENAPI } from "../../../src/state-manager/api/openapi.js";
import { matchRestPath, REST_PATHS } from "../../../src/state-manager/api/rest-router.js";
import { chromiumPath, launchChromium } from "../../support/chromium.js";
import { startServer, type TestServer } from "../../support/server.js";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
const described = Object.entries(OPENAPI.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => method in item).map((method) => ({ path, method: method.toUpperCase() })),
);

test("is valid OpenAPI 3.1", async () => {
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as Record<string, unknown>;
  const { valid, errors } = await new Validator().validate(document);
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
});

test("/swagger/index.html, which clients of before know, is the API page and no 404", async () => {
  const pages = await Promise.all(["/docs", "/swagger/index.html"].map((path) => fetch(server.url + path)));
  expect(pages.map(({ status }) => status)).toEqual([200, 200]);
  const [docs, swagger] = await Promise.all(pages.map((page) => page.text()));
  expect(swagger).toBe(docs);
  expect(pages[1]?.headers.get("content-type")).toBe("text/html; charset=utf-8");
});

test("describes every route of the dialect and no other", () => {
  const routes = described
    .map(({ path, method }) => ({ target: matchRestPath(path), method }))
    .filter(({ target }) => target !== undefined)
    .map(({ target, method }) => `${target?.path} ${method}`);
  const served = Object.entries(REST_PATHS).flatMap(([path, methods]) =>
    [...methods.keys()].filter((method) => method !== "HEAD").map((method) => `${path} ${method}`),
  );
  expect(routes.sort()).toEqual(served.sort());
});

test.each(described)("$method $path is there", async ({ path, method }) => {
  const url = server.url + path.replaceAll(/[{}]/g, "");
  const cut = new AbortController();
  const { status } = await fetch(url, {
    method,
    signal: cut.signal,
    ...(method === "PUT" && { body: '{"shard_id":"s"}' }),
  });
  cut.abort();
  const { responses } = Object(Object(OPENAPI.paths)[path])[method.toLowerCase()] as { responses: object };
  expect(Object.keys(responses)).toContain(String(status));
});

test("the schema of a resource names every field of the answer", async () => {
  const path = `${server.url}/api/v1/groups/g/namespaces/n/kinds/k/resources`;
  const created = await fetch(path, { method: "POST", body: '{"name":"all","shard_id":"s"}' });
  const fields = Object.keys((await created.json()) as object).sort();
  expect(Object.keys(OPENAPI.components.schemas.Resource.properties).sort()).toEqual(fields);
});

describe.skipIf(chromiumPath === undefined)("in a browser", () => {
  test("the page shows the operations and asks no other host for anything", async () => {
    const browser = await launchChromium();
    const page = await browser.newPage();
    const asked: string[] = [];
    const problems: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).origin));
    page.on("pageerror", (error) => problems.push(error.message));
    await page.goto(`${server.url}/docs`);
    await page.getByText("Replace the status and metadata").first().waitFor();
    await page.getByText("Stream changes as Server-Sent Events").first().waitFor();
    expect([...new Set(asked)]).toEqual([server.url]);
    expect(problems).toEqual([]);
    await browser.close();
  });
});
