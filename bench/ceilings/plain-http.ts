/** The ceiling of a REST read: a handler of `node:http` that answers every request with the same 1.4 KB from memory. */
import { createServer } from "node:http";

const ANSWER = JSON.stringify({ name: "a", spec: { text: "x".repeat(1_370) } });

createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "application/json" }).end(ANSWER);
}).listen(Number(process.env.SERVER_PORT), "127.0.0.1", () => process.stdout.write(`{"msg":"serving"}\n`));
