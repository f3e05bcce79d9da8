import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { cors } from "@connectrpc/connect";
import { DomainError } from "../../resource/errors.js";

/** What the guard reads of a request; the same for HTTP/1.1 and HTTP/2. */
export interface GuardedRequest {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders & { readonly ":authority"?: string | undefined };
}

const SAFE_METHODS: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);
/** Distinct Host values remembered; a scanner that sends more only costs itself the parsing. */
const REMEMBERED_HOSTS = 64;
const PREFLIGHT_SECONDS = "7200";

/**
 * Keeps web pages of other sites away from a server that trusts its network (ARCHITECTURE §6).
 *
 * Bound to a loopback address it answers only to loopback names: a page whose DNS name was rebound to 127.0.0.1 arrives with
 * that name in `Host`. For the browser such a page is of the same origin, so nothing but this check keeps it out. Everywhere it refuses writes that a foreign page caused, and grants CORS to listed origins only.
 */
export class OriginGuard {
  readonly #loopbackOnly: boolean;
  readonly #allowed: ReadonlySet<string>;
  readonly #hosts = new Map<string, boolean>();

  /** `host` is the address the server binds; `allowedOrigins` are serialized origins, or `*` for every one. */
  constructor(host: string, allowedOrigins: readonly string[]) {
    this.#loopbackOnly = isLoopbackName(host);
    this.#allowed = new Set(allowedOrigins);
  }

  /** Why the request must not be served; undefined when it may. */
  refusal(request: GuardedRequest): DomainError | undefined {
    const { headers } = request;
    const host = headers[":authority"] ?? headers.host;
    if (this.#loopbackOnly && host !== undefined && !this.#isLoopbackHost(host)) {
      return crossSite(
        `host ${JSON.stringify(host)} is refused: this server answers on loopback names only; use localhost`,
      );
    }
    if (SAFE_METHODS.has(request.method)) return undefined;
    const { origin } = headers;
    if (origin !== undefined && this.#isAllowed(origin)) return undefined;
    const site = headers["sec-fetch-site"];
    // The browser writes it and no page can: what it says holds, also behind a proxy that replaces Host. `none` is the user's own doing.
    if (site === "same-origin" || site === "none") return undefined;
    // `same-site` is another subdomain or port, which another program may serve.
    if (site !== undefined) return crossSite(`a write from a page of another origin is refused: ${advice(origin)}`);
    // curl and other programs send neither, browsers from before 2023 and those that speak plain HTTP to another machine send Origin only.
    if (origin === undefined || isSameOrigin(origin, host)) return undefined;
    return crossSite(
      `a write from origin ${JSON.stringify(origin)} to host ${JSON.stringify(host ?? "")} is refused: ${advice(origin)}; a proxy must forward Host`,
    );
  }

  /** The CORS headers of an answer; undefined when the request's origin is not allowed any. */
  corsHeaders(request: GuardedRequest): OutgoingHttpHeaders | undefined {
    const { origin } = request.headers;
    if (origin === undefined || !this.#isAllowed(origin)) return undefined;
    const headers: OutgoingHttpHeaders = {
      "access-control-allow-origin": origin,
      "access-control-expose-headers": EXPOSED_HEADERS,
      vary: "Origin",
    };
    if (request.method === "OPTIONS") {
      headers["access-control-allow-methods"] = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
      headers["access-control-allow-headers"] = ALLOWED_HEADERS;
      headers["access-control-max-age"] = PREFLIGHT_SECONDS;
    }
    return headers;
  }

  #isAllowed(origin: string): boolean {
    return this.#allowed.has(origin) || this.#allowed.has("*");
  }

  #isLoopbackHost(host: string): boolean {
    let known = this.#hosts.get(host);
    if (known === undefined) {
      known = isLoopbackName(withoutPort(host));
      if (this.#hosts.size < REMEMBERED_HOSTS) this.#hosts.set(host, known);
    }
    return known;
  }
}

const ALLOWED_HEADERS = [
  ...new Set(["Content-Type", "Authorization", "X-Requested-With", "Last-Event-ID", ...cors.allowedHeaders]),
].join(", ");

const EXPOSED_HEADERS = ["Next-Page-Token", "Retry-After", ...cors.exposedHeaders].join(", ");

function advice(origin: string | undefined): string {
  return `list ${origin === undefined ? "its origin" : JSON.stringify(origin)} in CORS_ALLOWED_ORIGINS to allow it`;
}

function crossSite(message: string): DomainError {
  return new DomainError("PERMISSION_DENIED", "CROSS_SITE", message);
}

/** `localhost`, 127.0.0.0/8 and ::1, the last with or without brackets. */
function isLoopbackName(name: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(name);
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, "");
}

/** The scheme is left out: behind a proxy that ends TLS the page says https and this server sees http. */
function isSameOrigin(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  const name = host.toLowerCase();
  return url.host === name || `${url.host}:${url.protocol === "https:" ? 443 : 80}` === name;
}
