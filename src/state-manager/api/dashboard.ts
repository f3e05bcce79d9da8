import { readdir, readFile } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { Code } from "@connectrpc/connect";
import type { Page } from "./http-edge.js";
import type { AnyRequest, AnyResponse } from "./http-exchange.js";
import { refuse } from "./refusal.js";

/** What `npm run build` makes of web/: beside this program when it is built too. */
const DIRECTORY = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../../dist/web" : "../../../web", import.meta.url),
);

/** The addresses of the dashboard's pages: PAGES in web/src/shell/pages.ts. One document shows them all. */
const PAGE_PATHS: ReadonlySet<string> = new Set(["/", "/resources", "/resource", "/edit", "/create", "/reconcilers"]);
const DOCUMENT = "/index.html";

/** Everything is this server's own: no script, style or request of another host, no inline code, no frame around it. */
const POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "connect-src", "img-src"].map((directive) => `${directive} 'self'`),
  // Chromium writes one itself when somebody types over several lines of the editor. Style elements stay forbidden.
  "style-src-attr 'unsafe-inline'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** A content coding, and how its files end; the build compresses, best first here. */
const CODINGS = [
  { coding: "br", ending: ".br" },
  { coding: "gzip", ending: ".gz" },
] as const;

/** The page at a path; undefined when the path is not the dashboard's. */
export function dashboardPage(path: string): Page | undefined {
  if (PAGE_PATHS.has(path)) return (response, request) => serve(DOCUMENT, request, response);
  if (path.startsWith("/assets/")) return (response, request) => serve(path, request, response);
  return undefined;
}

async function serve(path: string, request: AnyRequest, response: AnyResponse): Promise<void> {
  files ??= readFiles();
  const known = await files;
  const body = known.get(path);
  if (body === undefined) {
    const message = path === DOCUMENT ? "the dashboard is not built: npm run build" : `no ${path}`;
    refuse(request, response, path, { status: 404, code: Code.Unimplemented, reason: "NO_SUCH_PATH", message });
    return;
  }
  const accepted = String(request.headers["accept-encoding"] ?? "");
  const coded = CODINGS.find(({ coding, ending }) => accepted.includes(coding) && known.has(path + ending));
  const sent = coded === undefined ? body : (known.get(path + coded.ending) ?? body);
  response.writeHead(200, {
    "content-type": CONTENT_TYPES[extname(path)] ?? "application/octet-stream",
    "content-length": sent.length,
    ...(coded !== undefined && { "content-encoding": coded.coding }),
    vary: "accept-encoding",
    // The names of assets contain a hash of what is in them; the document names those of this version.
    "cache-control": path === DOCUMENT ? "no-cache" : "public, max-age=31536000, immutable",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
  });
  response.end(sent);
}

/** Held in memory, about 2 MB: a build that replaces the files meanwhile cannot mix two versions. */
let files: Promise<ReadonlyMap<string, Buffer>> | undefined;

async function readFiles(): Promise<ReadonlyMap<string, Buffer>> {
  const names = await readdir(DIRECTORY, { recursive: true }).catch(() => []); // not built: serve says so
  const paths = names.filter((name) => extname(name) !== "");
  const entries = paths.map(async (name) => {
    return [`/${name.replaceAll(sep, "/")}`, await readFile(join(DIRECTORY, name))] as const;
  });
  return new Map(await Promise.all(entries));
}
