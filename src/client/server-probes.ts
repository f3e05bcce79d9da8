import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest } from "node:https";
import { connect as connectTls } from "node:tls";

/** What came back when an address was asked something. */
export interface Answer {
  /** Undefined: no answer that is HTTP. */
  readonly status?: number;
  readonly body?: string;
  /** HTTP/2 settings came: whatever becomes of the call, HTTP/2 is spoken there. */
  readonly isHttp2?: boolean;
  /** A TCP connection was made. */
  readonly isConnected?: boolean;
  /** Why there is no answer; undefined when none came in time. `rawPacket`: what came instead of HTTP. */
  readonly error?: NodeJS.ErrnoException & { readonly rawPacket?: Buffer };
}

/**
 * A call that a state-manager of any version refuses at once, without asking its database, in a way that no other program does: the
 * key is empty.
 */
const PATH = "/reconcile.v1.ResourceService/GetResource";
const HEADERS = { "content-type": "application/json" };
const BODY = "{}";
/** Of an answer, only this much is read. */
const BODY_MAX = 16_384;

/** Whether a body is the refusal of a state-manager. */
export function isOurs({ body = "" }: Answer): boolean {
  return body.includes('"reconcile.v1.ErrorDetail"');
}

/** Asks over HTTP/2, as the client does. Never rejects. */
export function askHttp2(url: URL, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    let answer: Answer = {};
    const session = connectHttp2(url.origin);
    const end = (error?: NodeJS.ErrnoException) => {
      resolve(error === undefined || signal.aborted ? answer : { ...answer, error });
      session.destroy();
    };
    session.on("error", end).on("close", () => end());
    session.once("remoteSettings", () => (answer = { ...answer, isHttp2: true }));
    const stream = session.request({ ...HEADERS, ":method": "POST", ":path": pathOf(url) });
    stream.setEncoding("utf8").on("error", () => {}); // the session's error says more; with none it closes
    stream.on("response", ({ ":status": status = 0 }) => (answer = { ...answer, status, body: "" }));
    stream.on("data", (text: string) => (answer = { ...answer, body: `${answer.body}${text}`.slice(0, BODY_MAX) }));
    stream.on("close", () => end()).end(BODY);
    signal.addEventListener("abort", () => end());
  });
}

/** Asks over HTTP/1.1. Never rejects. */
export function askHttp1(url: URL, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    let isConnected = false;
    const open = url.protocol === "https:" ? httpsRequest : httpRequest;
    const options = { method: "POST", path: pathOf(url), headers: HEADERS, agent: false, signal };
    const request: ClientRequest = open(url, options, (response: IncomingMessage) => {
      const { statusCode: status = 0 } = response;
      let body = "";
      const end = () => {
        resolve({ status, body: body.slice(0, BODY_MAX) });
        request.destroy();
      };
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
        if (body.length > BODY_MAX) end();
      });
      response.on("end", end).on("error", end);
    });
    request.on("socket", (socket) => socket.once("connect", () => (isConnected = true)));
    request.on("error", (error) => resolve(signal.aborted ? { isConnected } : { isConnected, error }));
    request.end(BODY);
  });
}

/** Whether TLS is spoken there, with whatever certificate. Never rejects. */
export function speaksTls({ hostname, port }: URL, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, ""); // of an IPv6 address
    const options = { host, port: Number(port) || 80, rejectUnauthorized: false, ALPNProtocols: ["h2", "http/1.1"] };
    const socket = connectTls(options, () => end(true));
    const end = (answer: boolean) => {
      resolve(answer);
      socket.destroy();
    };
    socket.on("error", () => end(false)).on("close", () => end(false));
    signal.addEventListener("abort", () => end(false));
  });
}

function pathOf({ pathname }: URL): string {
  return pathname.replace(/\/+$/, "") + PATH;
}
