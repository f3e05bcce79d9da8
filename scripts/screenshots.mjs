// Takes the pictures of the dashboard in docs/images, from a server of its own with the example reconcilers: every page light,
// dark and as narrow as a phone. Needs a build and Chromium.
import { execSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

const LOOKS = [
  { name: "light", colorScheme: "light", viewport: { width: 1200, height: 760 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1200, height: 760 } },
  { name: "narrow", colorScheme: "light", viewport: { width: 400, height: 760 } },
];
const SITES = ["blog", "docs", "shop", "status", "wiki"];
/** So long something happens before the charts are taken. */
const BUSY_MS = 45_000;

const dataDir = mkdtempSync(join(tmpdir(), "reconcile-screenshots-"));
const port = 8180;
const env = { PATH: process.env.PATH, RECONCILE_DATA_DIR: dataDir, SERVER_PORT: String(port) };
const server = spawn(process.execPath, ["dist/src/dev/main.js"], { env, stdio: ["ignore", "pipe", "inherit"] });
const api = `http://127.0.0.1:${port}/api/v1/groups`;
try {
  await new Promise((resolve) =>
    server.stdout.on("data", (text) => String(text).includes(" is running: ") && resolve()),
  );
  const browser = await chromium.launch({ executablePath: findChromium(), args: ["--no-sandbox"] });
  const overviews = await Promise.all(LOOKS.map((look) => open(browser, look, "/")));
  await declare();
  await keepBusy();
  for (const { page, look } of overviews) await take(page, "overview", look);
  await write("PUT", "examples", "website", "shop", {
    html: "<h1>Shop</h1>\n<p>Open all night</p>\n",
    port: portOf("shop"),
  });
  const key = "group=examples&kind=website&namespace=default&name=shop";
  const pages = {
    resources: "/resources",
    resource: `/resource?${key}`,
    edit: `/edit?${key}`,
    reconcilers: "/reconcilers",
  };
  for (const look of LOOKS) {
    for (const [name, path] of Object.entries(pages)) {
      const { page } = await open(browser, look, path);
      if (name === "edit") await review(page);
      await sleep(4_000); // until everything is there, rates too, and nothing is highlighted any more
      await take(page, name, look);
    }
  }
  await browser.close();
} finally {
  server.kill("SIGTERM");
  await new Promise((resolve) => server.once("exit", resolve));
  rmSync(dataDir, { recursive: true, force: true });
}

async function open(browser, look, path) {
  const page = await browser.newPage({ colorScheme: look.colorScheme, viewport: look.viewport });
  await page.goto(`http://127.0.0.1:${port}${path}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  return { page, look };
}

async function take(page, name, look) {
  await page.screenshot({ path: `docs/images/${name}-${look.name}.png` });
}

/** Websites that are ready, one that cannot be, and some releases that no reconciler takes care of. */
async function declare() {
  const sites = SITES.map((name) =>
    write("POST", "examples", "website", name, { html: `<h1>${name}</h1>\n`, port: portOf(name) }),
  );
  const taken = write("POST", "examples", "website", "broken", { html: "<h1>No port</h1>\n", port });
  const releases = Array.from({ length: 12 }, (_, at) =>
    write("POST", "apps", "release", `v1.${at}`, { image: `registry.example/shop:1.${at}` }),
  );
  await Promise.all([...sites, taken, ...releases]);
}

function portOf(site) {
  return port + 1 + SITES.indexOf(site);
}

async function keepBusy() {
  for (const end = performance.now() + BUSY_MS; performance.now() < end; ) {
    const name = SITES[Math.floor(Math.random() * SITES.length)];
    await write("PUT", "examples", "website", name, { html: `<h1>${Math.random()}</h1>\n`, port: portOf(name) });
    await sleep(Math.random() * 400);
  }
}

/** Types another title, and looks at what that would change. */
async function review(page) {
  const editor = page.getByRole("textbox");
  await editor.press("ControlOrMeta+End");
  await page.keyboard.insertText("labels:\n  tier: web\n");
  await page.getByRole("button", { name: "Review" }).click();
  await page.getByText("+  tier: web").waitFor();
}

async function write(method, group, kind, name, spec) {
  const path = `${api}/${group}/namespaces/default/kinds/${kind}/resources${method === "PUT" ? `/${name}` : ""}`;
  const answer = await fetch(path, { method, body: JSON.stringify({ name, shard_id: "default", spec }) });
  if (!answer.ok) throw new Error(await answer.text());
}

function findChromium() {
  return execSync("command -v chromium || command -v chromium-browser || command -v google-chrome").toString().trim();
}
