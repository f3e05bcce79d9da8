import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { Http2ServerRequest } from "node:http2";

/** A request of HTTP/1.1 or HTTP/2. */
export type AnyRequest = IncomingMessage | Http2ServerRequest;

/** What the edge uses of a response; both of Node's classes have it. */
export interface AnyResponse {
  readonly headersSent: boolean;
  setHeader(name: string, value: string | number | readonly string[]): unknown;
  writeHead(status: number, headers?: OutgoingHttpHeaders): unknown;
  /** Before `end`. */
  addTrailers(headers: OutgoingHttpHeaders): unknown;
  write(chunk: string | Buffer): boolean;
  end(): unknown;
  end(chunk: string | Buffer): unknown;
  once(event: "close" | "drain", listener: () => void): unknown;
  off(event: "close" | "drain", listener: () => void): unknown;
  emit(event: "drain"): boolean;
}

/** Answers with a whole body in one write. Headers set before are sent too. */
export function answer(response: AnyResponse, status: number, contentType: string, body: string | Buffer): void {
  response.writeHead(status, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** Answers with a JSON text, and a line break, so that a prompt behind `curl` stands on a line of its own. */
export function answerJson(response: AnyResponse, status: number, json: string): void {
  answer(response, status, "application/json", `${json}\n`);
}

/** Writes and waits until the peer can take more, or `gone` aborts. */
export async function writeAndDrain(response: AnyResponse, chunk: string | Buffer, gone: AbortSignal): Promise<void> {
  if (gone.aborted || response.write(chunk)) return;
  await new Promise<void>((resolve) => {
    const settle = () => {
      response.off("drain", settle);
      response.off("close", settle);
      resolve();
    };
    response.once("drain", settle);
    response.once("close", settle);
  });
}

/** The value of a header that came once and is not empty. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}
