/**
 * Serves one file on 127.0.0.1: the one script that the process example runs unless its operator allows more.
 *
 * The argument is a path below STATIC_ROOT, which the reconciler sets; links that lead out of it are not followed.
 */
import { readFile, realpath } from "node:fs/promises";
import { createServer } from "node:http";
import { sep } from "node:path";

const root = process.env.STATIC_ROOT ?? "";
const path = process.argv[2] ?? "";

const server = createServer((request, response) => {
  if (request.method !== "GET" && request.method !== "HEAD")
    return response.writeHead(405, { allow: "GET, HEAD" }).end();
  return read().then(
    (content) =>
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" }).end(content),
    () => response.writeHead(404, { "content-type": "text/plain" }).end("not found\n"),
  );
});

async function read(): Promise<Buffer> {
  const inside = `${await realpath(root)}${sep}`;
  const file = await realpath(`${inside}${path}`);
  if (!file.startsWith(inside)) throw new Error(`${path} leads out of ${root}`);
  return readFile(file);
}

server.listen(Number(process.env.PORT), "127.0.0.1");
process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
});
