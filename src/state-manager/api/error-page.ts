import { STATUS_CODES } from "node:http";

/** What a browser shows when an address cannot be opened: the status, the error, and where to go. Loads nothing. */
export function errorPage(status: number, message: string): string {
  const title = `${status} ${STATUS_CODES[status] ?? ""}`.trim();
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 40rem; margin: 15vh auto; padding: 0 1rem; overflow-wrap: anywhere }
</style>
</head>
<body>
<h1>${title}</h1>
<p>${escapeHtml(message)}</p>
<p><a href="/">Dashboard</a> · <a href="/docs">API</a></p>
</body>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
