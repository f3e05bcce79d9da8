/** The dashboard in a browser, whose complaints count as failures. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

/** A page of the dashboard. */
export interface DashboardPage {
  readonly page: Page;
  /** What the console and the page complained of; requests that fail are not among it. */
  readonly complaints: readonly string[];
}

/** Opens a page in a profile of its own. */
export async function openDashboard(
  browser: Browser,
  baseURL: string,
  options: BrowserContextOptions = {},
): Promise<DashboardPage> {
  const context = await browser.newContext({ baseURL, viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(15_000); // below a test's own, so that a failure names what did not appear
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("console", (message) => {
    // The browser itself says so of every request that is refused or finds nobody; the page says it in its own words.
    const isOfRequest = message.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(message.type()) && !isOfRequest) complaints.push(message.text());
  });
  return { page, complaints };
}
