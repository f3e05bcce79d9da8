import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Page } from "./http-edge.js";
import { answer, answerJson } from "./http-exchange.js";
import { OPENAPI } from "./openapi.js";

const require = createRequire(import.meta.url);

/** Shows the OpenAPI document. Nothing comes from another host, and the policy sees to it that nothing goes to one. */
const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:">
<title>${OPENAPI.info.title}</title>
<style>body { margin: 0 }</style>
<script type="module" src="/docs/openapi-explorer.js"></script>
</head>
<body>
<openapi-explorer spec-url="/openapi.json" hide-authentication hide-server-selection></openapi-explorer>
</body>
</html>
`;

/** `/openapi.json` and the page that shows it. Links and probes from before know the page as `/swagger/index.html`. */
export function docsPages(): ReadonlyMap<string, Page> {
  const openapi = JSON.stringify(OPENAPI);
  const page: Page = (response) => answer(response, 200, "text/html; charset=utf-8", HTML);
  return new Map<string, Page>([
    ["/openapi.json", (response) => answerJson(response, 200, openapi)],
    ["/docs", page],
    ["/swagger/index.html", page],
    ["/docs/openapi-explorer.js", async (response) => answer(response, 200, "text/javascript", await readScript())],
  ]);
}

/** From the package while developing, from the copy that the build puts beside the program otherwise. */
function readScript(): Promise<Buffer> {
  return readFile(require.resolve("openapi-explorer/dist/browser/openapi-explorer.min.js"));
}
