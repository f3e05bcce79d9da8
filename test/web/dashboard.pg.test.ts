/** A person's way through the dashboard, in a real browser, against a real server and the example reconcilers. */
import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runExamples } from "../../examples/run-examples.js";
import { freePort } from "../../src/shared/free-port.js";
import { createLogger } from "../../src/state-manager/observability/logger.js";
import { chromiumPath, launchChromium } from "../support/chromium.js";
import { openDashboard } from "../support/dashboard.js";
import { querySql } from "../support/history.js";
import { createDatabase } from "../support/postgres.js";
import { type ServerProcess, startServerProcess } from "../support/processes.js";
import { runDirectory } from "../support/run-directory.js";
import { until } from "../support/until.js";

const require = createRequire(import.meta.url);
const FIRST_LOAD_MAX_BYTES = 300_000;
const SERIOUS_FINDINGS = `axe.run().then(({ violations }) => violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join("\\n"))))`;

describe.skipIf(chromiumPath === undefined)("the dashboard, in Chromium", () => {
  let database: { url: string; drop(): Promise<void> };
  let server: ServerProcess;
  let examples: { stop(): Promise<void> };
  let browser: Browser;

  beforeAll(async () => {
    database = await createDatabase();
    [server, browser] = await Promise.all([startServerProcess({ databaseUrl: database.url }), launchChromium()]);
    examples = await runExamples({
      serverUrl: server.url,
      dataDir: mkdtempSync(join(runDirectory(), "dashboard-")),
      logger: createLogger("silent"),
      allowedScripts: [],
      staticServer: resolve("dist/examples/process/static-server.js"),
    });
  });
  afterAll(async () => {
    await browser.close();
    await examples.stop();
    await server.program.kill();
    await database.drop();
  });

  test("creates, follows, survives a restart of the server, and deletes", async () => {
    const { page, complaints } = await openDashboard(browser, server.url);
    const port = await freePort();
    await page.goto("/resources");
    const table = page.getByRole("grid", { name: "Resources" });
    await page.getByText("There are no such resources").waitFor();
    await page.evaluate("window.isTheSameDocument = true");

    // Created in the editor: reviewed as the server would store it, then stored.
    await page.getByRole("link", { name: "Create…" }).click();
    const editor = page.getByRole("textbox", { name: "Create a resource, as YAML" });
    await retype(editor, manifest("shop", "<h1>one</h1>", "no number"));
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByText("+  html: <h1>one</h1>").waitFor();
    await retype(editor, manifest("shop", "<h1>one</h1>", port));
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByText(`+  port: ${port}`).waitFor();
    await page.getByRole("button", { name: "Create" }).click();

    // It becomes ready before one's eyes, in the page and in the table, with what belongs to it.
    await page.getByRole("heading", { name: "website default/shop" }).waitFor();
    await page.getByText(`http://127.0.0.1:${port}/ serves generation 1`).first().waitFor();
    await page.getByRole("link", { name: "process default/shop" }).waitFor();
    await page.getByRole("link", { name: "Resources", exact: true }).click();
    const website = table.getByRole("row", { name: /^shop website default Ready/ });
    await website.waitFor();

    // Changed by REST: the row and the page follow.
    await put("shop", { html: "<h1>two</h1>", port });
    await table.getByRole("row", { name: /^shop website default Ready.* 2\/2/ }).waitFor();
    await website.getByRole("link").click();
    await page.getByText("html: <h1>two</h1>").waitFor();
    await page.getByRole("row", { name: /spec\.html.*one.*two/ }).waitFor();

    // Killed: the page says so. Started again: it goes on, with what happened meanwhile.
    await server.program.kill();
    const absence = page.getByText("The server is away.");
    await absence.waitFor();
    await server.start();
    await absence.waitFor({ state: "hidden" });
    await put("shop", { html: "<h1>three</h1>", port });
    await page.getByText("html: <h1>three</h1>").waitFor();
    await page.getByText("serves generation 3").first().waitFor();

    // Deleted: the children go too.
    await page.getByRole("button", { name: "Delete…" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByText("It is gone. What you see is its last state.").waitFor();
    await page.getByRole("link", { name: "Resources", exact: true }).click();
    await page.getByText("There are no such resources").waitFor();

    expect(await page.evaluate("window.isTheSameDocument")).toBe(true);
    expect(complaints).toEqual([]);
  }, 90_000);

  test("refuses a lost update, and keeps what was typed", async () => {
    await put("contested", { html: "mine", port: 1 });
    const { page, complaints } = await openDashboard(browser, server.url);
    await page.goto(
      `/edit?${new URLSearchParams({ group: "examples", kind: "website", namespace: "default", name: "contested" })}`,
    );
    const editor = page.getByRole("textbox", { name: "Edit website default/contested, as YAML" });
    await retype(editor, manifest("contested", "typed", 1));
    await put("contested", { html: "theirs", port: 1 });
    await page.getByRole("button", { name: "Review" }).click();
    const conflict = page.getByRole("alert", { name: "Conflict" });
    await conflict.getByText("+  html: theirs").waitFor();
    expect(await editor.innerText()).toContain("html: typed");

    await conflict.getByRole("button", { name: /^Keep my text/ }).click();
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByText("-  html: theirs").waitFor();
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { name: "website default/contested" }).waitFor();
    await page.getByText("html: typed").first().waitFor();

    // Once more, and this time theirs it shall be; it comes between review and save.
    await page.getByRole("link", { name: "Edit…" }).click();
    await retype(editor, manifest("contested", "typed again", 1));
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByText("+  html: typed again").waitFor();
    await put("contested", { html: "theirs again", port: 1 });
    await page.getByRole("button", { name: "Save" }).click();
    await conflict.getByRole("button", { name: /^Discard my text/ }).click();
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByText("Nothing: it is stored like this already.").waitFor();
    expect(await editor.innerText()).toContain("html: theirs again");
    expect(complaints).toEqual([]);
  });

  test("says what is wrong with a manifest and where, and sends nothing", async () => {
    const { page } = await openDashboard(browser, server.url);
    await page.goto("/create");
    await retype(page.getByRole("textbox"), "kind: website\nname: [1]\nspec: {}\n");
    await page.getByRole("button", { name: "Review" }).click();
    await page.getByRole("alert").getByText("manifest:2:7: name must be a string").waitFor();
    await page.getByRole("alert").getByText("group is missing").waitFor();
  });

  test("narrows and sorts by the address, and by the keyboard alone", async () => {
    for (const name of ["b-two", "a-one", "b-one"]) await put(name, {}, "note");
    const { page } = await openDashboard(browser, server.url);
    await page.goto("/resources?kind=note&text=b-&sort=name&order=desc");
    const names = () => page.getByRole("grid").getByRole("link").allInnerTexts();
    await until(async () => (await names()).join() === "b-two,b-one");
    await page.getByRole("grid").focus();
    await page.keyboard.press("/");
    await page.keyboard.type("one");
    await until(async () => (await names()).join() === "b-one,a-one");
    expect(new URL(page.url()).searchParams.get("text")).toBe("one");
    await page.getByRole("grid").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "note default/a-one" }).waitFor();

    await page.goto("/resources?labels=nonsense(");
    await page.getByRole("alert").getByText("Could not list the resources").waitFor();
  });

  test("releases a quarantine, and forces off a finalizer that nobody will take off", async () => {
    await put("poison", {}, "note");
    // As five workers that die leave it; test/state-manager/work shows that they do.
    await querySql(database.url, "UPDATE work_items SET strikes = 5, quarantined_at = now() WHERE name = 'poison'");
    const { page, complaints } = await openDashboard(browser, server.url);
    await page.goto("/reconcilers");
    const poison = page.getByRole("row", { name: /^note default\/poison/ });
    await poison.getByRole("button", { name: "Release" }).click();
    await page.getByText("Empty. A resource gets here").waitFor();

    const path = "/api/v1/groups/examples/namespaces/default/kinds/note/resources";
    const held = { name: "held", shard_id: "default", spec: {}, finalizers: ["example.dev/gone"] };
    await fetch(server.url + path, { method: "POST", body: JSON.stringify(held) });
    await fetch(`${server.url}${path}/held`, { method: "DELETE" });
    await page.goto(
      `/resource?${new URLSearchParams({ group: "examples", kind: "note", namespace: "default", name: "held" })}`,
    );
    await page.getByRole("heading", { name: "What holds its deletion" }).waitFor();
    await page.getByRole("button", { name: "Force it off…" }).click();
    await page.getByLabel("Why, and who you are").fill("its operator is gone; Ada");
    await page.getByRole("button", { name: "Force it off", exact: true }).click();
    await page.getByText("It is gone. What you see is its last state.").waitFor();
    await page.getByText("its operator is gone; Ada").first().waitFor();
    expect(complaints).toEqual([]);
  });

  test("shows characters that turn the direction of text, and does not obey them", async () => {
    const name = "txt\u202eexe";
    await put(name, { "a\u202eb": "c\u202ed" }, "note");
    const { page } = await openDashboard(browser, server.url);
    const key = new URLSearchParams({ group: "examples", kind: "note", namespace: "default", name });
    for (const path of ["/resources?kind=note", `/resource?${key}`, `/edit?${key}`]) {
      await page.goto(path);
      await page.getByText("txt\\u202eexe").first().waitFor();
      expect([path, await page.evaluate<string>("document.title + document.body.innerText")]).toEqual([
        path,
        expect.not.stringContaining("\u202e"),
      ]);
    }
    await page.getByText("c\\u202ed").first().waitFor();
  });

  test("loads in less than 300 kB, from nowhere else", async () => {
    const { page } = await openDashboard(browser, server.url);
    let bytes = 0;
    const hosts = new Set<string>();
    page.on("requestfinished", async (request) => {
      hosts.add(new URL(request.url()).origin);
      const { responseBodySize, responseHeadersSize } = await request.sizes();
      bytes += responseBodySize + responseHeadersSize;
    });
    await page.goto("/");
    await page.getByRole("img", { name: /Passes per second/ }).waitFor();
    await page.getByText("Change logs").waitFor();
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(FIRST_LOAD_MAX_BYTES);
    expect([...hosts]).toEqual([server.url]);
  });

  test("can be used by everybody: axe finds nothing serious, light or dark, and a phone scrolls no page sideways", async () => {
    await put("seen", { html: "<h1>seen</h1>", port: await freePort() });
    const { page, complaints } = await openDashboard(browser, server.url, { reducedMotion: "reduce" });
    const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
    const key = new URLSearchParams({ group: "examples", kind: "website", namespace: "default", name: "seen" });
    const landmarks: Readonly<Record<string, string>> = {
      "/": "Change logs",
      "/resources": "seen",
      [`/resource?${key}`]: "Timeline",
      [`/edit?${key}`]: "Review",
      "/create": "Review",
      "/reconcilers": "website-example",
    };
    for (const [path, landmark] of Object.entries(landmarks)) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(path);
      await page.getByText(landmark).first().waitFor();
      await page.evaluate(axe);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect([path, colorScheme, await page.evaluate(SERIOUS_FINDINGS)]).toEqual([path, colorScheme, []]);
      }
      await page.setViewportSize({ width: 400, height: 800 });
      await until(async () => (await page.evaluate<number>("document.documentElement.scrollWidth")) <= 400, {
        what: `${path} fits into 400 px`,
      });
    }
    expect(complaints).toEqual([]);
  }, 90_000);

  async function put(name: string, spec: object, kind = "website"): Promise<void> {
    const path = `/api/v1/groups/examples/namespaces/default/kinds/${kind}/resources`;
    const send = (method: string, url: string) =>
      fetch(server.url + url, { method, body: JSON.stringify({ name, shard_id: "default", spec }) });
    let answer = await send("PUT", `${path}/${name}`);
    if (answer.status === 404) answer = await send("POST", path);
    if (!answer.ok) throw new Error(await answer.text());
  }
});

/** As a person does: all of it is selected and typed over. */
async function retype(editor: Locator, text: string): Promise<void> {
  await editor.press("ControlOrMeta+A");
  await editor.page().keyboard.insertText(text);
}

function manifest(name: string, html: string, port: unknown): string {
  return `group: examples\nkind: website\nnamespace: default\nname: ${name}\nspec:\n  html: ${html}\n  port: ${port}\n`;
}
