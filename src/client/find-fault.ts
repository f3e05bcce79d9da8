import { addressOf, connectFault, noServer, type ServerFault, wrongServer } from "./server-fault.js";
import { type Answer, askHttp1, askHttp2, isOurs, speaksTls } from "./server-probes.js";

/** Together with the time after which a call is late, less than 5 s. */
const ASK_MS = 1_500;
const ASK_TLS_MS = 1_000;

/** Finds out why a first call failed or is late; undefined when a state-manager answers there. Takes 2.5 s at most, never rejects. */
export async function findFault(url: URL): Promise<ServerFault | undefined> {
  const shown = addressOf(url);
  const end = new AbortController();
  const signal = AbortSignal.any([AbortSignal.timeout(ASK_MS), end.signal]);
  try {
    const asked1 = askHttp1(url, signal);
    const http2 = await askHttp2(url, signal);
    if (isOurs(http2)) return undefined;
    if (http2.status !== undefined) return await judgeAnswer(url, shown, http2);
    const http1 = await asked1;
    if (http2.isHttp2)
      return isOurs(http1) ? undefined : noServer(`${shown}: HTTP/2 is spoken there, and no call answered`);
    if (http1.status !== undefined) return await judgeHttp1(url, shown, http1);
    return url.protocol === "https:" ? judgeTls(url, shown, http1) : await judgeSilence(url, shown, http1);
  } finally {
    end.abort();
  }
}

/** Something answers as the client wants it, but not as a state-manager does. */
async function judgeAnswer(url: URL, shown: string, answer: Answer): Promise<ServerFault> {
  const { status = 0 } = answer;
  const said = saidBy(answer);
  if (status >= 502 && status <= 504) {
    return noServer(`${shown}: a proxy answers there (${said}), and not the server behind it`);
  }
  if (status === 401 || status === 403 || status === 407) {
    return wrongServer(`${shown} refuses this client: ${said}`);
  }
  const root = new URL(url.origin);
  if (url.pathname !== "/" && isOurs(await askHttp2(root, AbortSignal.timeout(ASK_TLS_MS)))) {
    return wrongServer(
      `the state-manager is at ${url.origin} and not at ${shown} (${said}): leave the path ${url.pathname} out`,
    );
  }
  return wrongServer(
    `${shown} is another program than the state-manager (it answers ${said}): name the state-manager's address`,
  );
}

async function judgeHttp1(url: URL, shown: string, answer: Answer): Promise<ServerFault> {
  if (isOurs(answer)) {
    return wrongServer(
      `${shown} speaks HTTP/1.1 only, so it is a proxy in front of the state-manager: name the state-manager itself, or let the proxy speak HTTP/2`,
    );
  }
  // Some servers say in plain HTTP that they want TLS.
  if (url.protocol === "http:" && answer.status === 400 && (await speaksTls(url, AbortSignal.timeout(ASK_TLS_MS)))) {
    return wantsTls(url, shown);
  }
  return await judgeAnswer(url, shown, answer);
}

const WITHOUT_TLS = /wrong version number|packet length|http request|unknown protocol/i;
const CERTIFICATE = /CERT|UNABLE_TO|HOSTNAME/;

function judgeTls(url: URL, shown: string, { error, isConnected = false }: Answer): ServerFault {
  if (error === undefined || !isConnected) return judgeConnection(url, shown, error, isConnected);
  const { code = "", message } = error;
  if (WITHOUT_TLS.test(message)) return wrongServer(`${shown} speaks no TLS: name it ${addressOf(url, "http:")}`);
  if (CERTIFICATE.test(code)) {
    return wrongServer(
      `the certificate of ${shown} is refused (${message}): let NODE_EXTRA_CA_CERTS name a file with the certificate of who signed it`,
    );
  }
  return judgeConnection(url, shown, error, isConnected);
}

async function judgeSilence(url: URL, shown: string, { error, isConnected = false }: Answer): Promise<ServerFault> {
  const start = error?.rawPacket;
  const isAlert = start?.[0] === 0x15 && start[1] === 0x03; // RFC 8446 §5.1
  if (isAlert || (isConnected && start === undefined && (await speaksTls(url, AbortSignal.timeout(ASK_TLS_MS))))) {
    return wantsTls(url, shown);
  }
  if (start !== undefined) {
    return wrongServer(
      `${shown} is no HTTP server (it says ${quoted(start.toString("latin1"))}): name the state-manager's address`,
    );
  }
  return judgeConnection(url, shown, error, isConnected);
}

function judgeConnection(
  url: URL,
  shown: string,
  error: NodeJS.ErrnoException | undefined,
  isConnected: boolean,
): ServerFault {
  if (error === undefined) {
    return noServer(
      isConnected
        ? `${shown}: connections are taken there, and no call answered`
        : `${shown} (no connection within ${ASK_MS / 1000} s)`,
    );
  }
  if (isConnected) return noServer(`${shown}: connections are taken there and closed (${error.code ?? error.message})`);
  return connectFault(url, error) ?? noServer(`${shown} (${error.code ?? error.message})`);
}

function wantsTls(url: URL, shown: string): ServerFault {
  return wrongServer(`${shown} speaks TLS: name it ${addressOf(url, "https:")}`);
}

/** For people: the status, and the words of a body that is HTML, JSON or text. */
function saidBy({ status = 0, body = "" }: Answer): string {
  const [, json] = /"(?:error|message)"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body) ?? [];
  const words = json?.replace(/\\(["\\/])/g, "$1") ?? body.replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/gi, " ");
  return words.trim() === "" ? `HTTP ${status}` : `HTTP ${status} ${quoted(words)}`;
}

const QUOTED_MAX = 100;

function quoted(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return JSON.stringify(line.length > QUOTED_MAX ? `${line.slice(0, QUOTED_MAX)}…` : line);
}
