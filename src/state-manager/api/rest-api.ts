import { invalidField } from "../../resource/errors.js";
import type { Resource } from "../../resource/resource.js";
import type { ResourceService } from "../service/resource-service.js";
import type { WorkService } from "../work/work-service.js";
import { historyJson } from "./history-json.js";
import { type AnyRequest, type AnyResponse, answerJson, headerOf } from "./http-exchange.js";
import { kindsJson } from "./kinds-json.js";
import type { CallError, Endpoint, Pipeline } from "./pipeline.js";
import { resourceJson } from "./resource-json.js";
import { checkContentCoding, RestBody, readBody } from "./rest-body.js";
import { answerError, errorJson } from "./rest-dialect.js";
import {
  decodeDeleteOptions,
  decodeHistoryQuery,
  decodeListQuery,
  decodeNoQuery,
  decodeReleaseOptions,
  decodeWriteOptions,
} from "./rest-queries.js";
import { decodeCreate, decodeStatus, decodeUpdate } from "./rest-requests.js";
import { allowedMethods, keyOf, matchRestPath, REST_PATHS, type RestRoute, type RestTarget } from "./rest-router.js";
import type { SseWatch } from "./watch-sse.js";
import { workJson } from "./work-json.js";

type UnaryRoute = Exclude<RestRoute, "watch">;

/** An answer; no body with 204. */
interface Reply {
  readonly status: 200 | 201 | 204;
  readonly json?: string;
  readonly nextPageToken?: string | undefined;
}

const ENDPOINTS: Readonly<Record<UnaryRoute, Endpoint>> = {
  create: { protocol: "rest", method: "create", shape: "unary" },
  get: { protocol: "rest", method: "get", shape: "unary" },
  update: { protocol: "rest", method: "update", shape: "unary" },
  "update-status": { protocol: "rest", method: "update-status", shape: "unary" },
  delete: { protocol: "rest", method: "delete", shape: "unary" },
  list: { protocol: "rest", method: "list", shape: "unary" },
  release: { protocol: "rest", method: "release", shape: "unary" },
  work: { protocol: "rest", method: "work", shape: "unary" },
  history: { protocol: "rest", method: "history", shape: "unary" },
  kinds: { protocol: "rest", method: "kinds", shape: "unary" },
};

/** `/api/v1`: decodes, calls, encodes. Its names and statuses are docs/rest-api.md's. */
export class RestApi {
  readonly #resources: ResourceService;
  readonly #work: WorkService;
  readonly #watch: SseWatch;
  readonly #pipeline: Pipeline;
  readonly #maxBodyBytes: number;

  constructor(
    resources: ResourceService,
    work: WorkService,
    watch: SseWatch,
    pipeline: Pipeline,
    maxBodyBytes: number,
  ) {
    this.#resources = resources;
    this.#work = work;
    this.#watch = watch;
    this.#pipeline = pipeline;
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** Answers a request for `path`; `search` is its query without the question mark. */
  async serve(request: AnyRequest, response: AnyResponse, path: string, search: string): Promise<void> {
    const target = matchRestPath(path);
    if (target === undefined) {
      answerJson(response, 404, errorJson(`there is no path ${path}; see /openapi.json`));
      return;
    }
    const route = REST_PATHS[target.path].get(request.method);
    if (route === undefined) {
      const allow = allowedMethods(target.path);
      response.setHeader("allow", allow);
      answerJson(response, 405, errorJson(`${request.method} is not supported on ${path}; use one of ${allow}`));
    } else if (route === "watch") {
      await this.#watch.serve(request, response, search);
    } else {
      await this.#unary(route, target, request, response, search);
    }
  }

  async #unary(
    route: UnaryRoute,
    target: RestTarget,
    request: AnyRequest,
    response: AnyResponse,
    search: string,
  ): Promise<void> {
    const caller = { requestId: headerOf(request.headers, "x-request-id") };
    try {
      const run = () => this.#run(route, target, request, search);
      const { status, json, nextPageToken } = await this.#pipeline.call(ENDPOINTS[route], caller, run);
      if (nextPageToken !== undefined) response.setHeader("next-page-token", nextPageToken);
      if (json !== undefined) {
        answerJson(response, status, json);
      } else {
        response.writeHead(status);
        response.end();
      }
    } catch (error) {
      // The pipeline throws nothing else.
      answerError(response, error as CallError);
    }
  }

  async #run(route: UnaryRoute, target: RestTarget, request: AnyRequest, search: string): Promise<Reply> {
    if (route === "list") return this.#list(new URLSearchParams(search));
    if (route === "kinds") {
      decodeNoQuery(search);
      return { status: 200, json: kindsJson(await this.#resources.kinds()) };
    }
    const key = keyOf(target);
    switch (route) {
      case "work":
        decodeNoQuery(search);
        return { status: 200, json: workJson(await this.#work.getWork(key)) };
      case "history": {
        const { entries, nextPageToken } = await this.#resources.history(decodeHistoryQuery(key, search));
        return { status: 200, json: historyJson(entries), nextPageToken };
      }
      case "get":
        return ok(await this.#resources.get(key, "STRONG"));
      case "release":
        return ok(await this.#work.releaseQuarantine(key, decodeReleaseOptions(search)));
      case "delete": {
        const { propagation, ...options } = decodeDeleteOptions(search);
        await this.#resources.delete(key, {}, propagation, options);
        return { status: 204 };
      }
      case "create": {
        const input = decodeCreate(key, await this.#body(request));
        const created = await this.#resources.create(input, decodeWriteOptions(search));
        return { status: 201, json: resourceJson(created) };
      }
      case "update": {
        const { input, expected } = decodeUpdate(key, await this.#body(request));
        return ok(await this.#resources.update(input, expected, decodeWriteOptions(search)));
      }
      case "update-status": {
        const write = decodeStatus(key, await this.#body(request));
        return ok(await this.#resources.updateStatus(write, decodeWriteOptions(search)));
      }
    }
  }

  async #list(query: URLSearchParams): Promise<Reply> {
    const request = decodeListQuery(query);
    const { resources, nextPageToken } = await this.#resources.list(request);
    // Clients that page by offset take a short page for the last one.
    if (nextPageToken !== undefined && resources.length < request.limit) {
      throw invalidField(
        "limit",
        `must be at most ${resources.length} here: that many resources are ${request.maxBytes >> 20} MiB`,
      );
    }
    return { status: 200, json: `[${resources.map(resourceJson).join(",")}]`, nextPageToken };
  }

  async #body(request: AnyRequest): Promise<RestBody> {
    checkContentCoding(request);
    return RestBody.parse(await readBody(request, this.#maxBodyBytes));
  }
}

function ok(resource: Resource): Reply {
  return { status: 200, json: resourceJson(resource) };
}
