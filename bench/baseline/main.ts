/**
 * The peer "baseline": a small server in the usual style of this field, one transaction per request with a lock on the key,
 * labels in a table of their own and an entry for a stream. Nothing is left out that it would need, nothing made slow on purpose.
 */
import { createServer, type IncomingMessage } from "node:http";
import { ResourceTable } from "./resource-table.js";

const { SERVER_PORT = "", DATABASE_URL = "", REDIS_URL = "" } = process.env;
const table = await ResourceTable.open(DATABASE_URL, REDIS_URL);
// As long as a contender may wait for its turn: closed after Node's 5 s, a connection could end under the request just sent on it.
const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
  answer(request).then(
    ({ status, body }) => response.writeHead(status, { "content-type": "application/json" }).end(body),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});
server.listen(Number(SERVER_PORT), "127.0.0.1", () => process.stdout.write(`{"msg":"serving"}\n`));

/** The paths of the REST dialect, so that the same load can be put on both. */
async function answer(request: IncomingMessage): Promise<{ status: number; body: string }> {
  const [, , , , resourceGroup = "", , namespace = "", , kind = "", , name = "", part] = (request.url ?? "").split("/");
  const key = [resourceGroup, kind, namespace, name] as const;
  if (request.method === "GET") {
    const found = await table.get(key);
    return found === undefined ? { status: 404, body: "" } : { status: 200, body: JSON.stringify(found) };
  }
  const sent = JSON.parse(await textOf(request));
  if (request.method === "POST")
    return { status: 201, body: JSON.stringify(await table.create([resourceGroup, kind, namespace, sent.name], sent)) };
  const updated = part === "status" ? await table.updateStatus(key, sent) : await table.update(key, sent);
  return updated === undefined ? { status: 404, body: "" } : { status: 200, body: JSON.stringify(updated) };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
