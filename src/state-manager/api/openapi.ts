import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX } from "../../resource/limits.js";
import { OPENAPI_KINDS } from "./openapi-kinds.js";
import { OPENAPI_WORK } from "./openapi-work.js";
import { HISTORY_PAGE_SIZE } from "./page-size.js";

/** When a status is answered. */
const ERROR_WORDS: Readonly<Record<number, string>> = {
  400: "The request is wrong: `Invalid JSON`, `Validation failed`, `Already exists`, `Current version unavailable`.",
  403: "A write from a page of another origin.",
  404: "There is no such resource.",
  409: "`Version conflict`: read again, reapply the change, retry.",
  410: "The token is older than the history: list again.",
  413: "The body or the resource is too large.",
  415: "The body is compressed: send it as it is.",
  429: "Too many calls at once: retry later.",
  503: "A dependency is away: retry after `Retry-After` seconds.",
};

/** OpenAPI 3.1 of `/api/v1` and the probes; everything else is RPC, described by proto/reconcile/v1. */
export const OPENAPI = {
  openapi: "3.1.0",
  info: {
    title: "Reconcile Toolkit: the REST dialect",
    version: "v1",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    description:
      "Resources as plain JSON, for curl, scripts and browsers. `version` is the generation and `current_version` the observed generation of the RPC interface.",
  },
  servers: [{ url: "/" }],
  security: [],
  tags: [
    { name: "resources", description: "Declare, read and report." },
    { name: "probes", description: "For what runs the server." },
  ],
  paths: {
    "/api/v1/groups/{resource_group}/namespaces/{namespace}/kinds/{kind}/resources": {
      parameters: [pathPart("resource_group"), pathPart("namespace"), pathPart("kind")],
      post: operation("createResource", "Create a resource", {
        parameters: [dryRun()],
        requestBody: body("CreateResource"),
        responses: { 201: resource("The stored resource."), ...errors(400, 403, 413, 415, 429, 503) },
      }),
    },
    "/api/v1/groups/{resource_group}/namespaces/{namespace}/kinds/{kind}/resources/{name}": {
      parameters: [pathPart("resource_group"), pathPart("namespace"), pathPart("kind"), pathPart("name")],
      get: operation("getResource", "Read a resource", {
        responses: { 200: resource("The resource."), ...errors(400, 404, 429, 503) },
      }),
      put: operation("updateResource", "Replace the desired state and metadata", {
        parameters: [dryRun()],
        description: "Raises `version`. Removes the resource when its deletion was requested and no finalizer is left.",
        requestBody: body("UpdateResource"),
        responses: { 200: resource("The stored resource."), ...errors(400, 403, 404, 409, 413, 415, 429, 503) },
      }),
      delete: operation("deleteResource", "Remove a resource, or request its deletion while finalizers hold it", {
        parameters: [
          query(
            "propagation",
            "What becomes of the resources it owns: deleted soon after, deleted before it goes, or left without an owner.",
            { type: "string", enum: ["background", "foreground", "orphan"], default: "background" },
          ),
          dryRun(),
        ],
        responses: { 204: { description: "Removed, or marked for deletion." }, ...errors(400, 403, 404, 429, 503) },
      }),
    },
    "/api/v1/groups/{resource_group}/namespaces/{namespace}/kinds/{kind}/resources/{name}/status": {
      parameters: [pathPart("resource_group"), pathPart("namespace"), pathPart("kind"), pathPart("name")],
      put: operation("updateResourceStatus", "Replace the status and metadata", {
        parameters: [dryRun()],
        description:
          "Leaves `version` as it is. Removes the resource when its deletion was requested and no finalizer is left.",
        requestBody: body("UpdateResourceStatus"),
        responses: { 200: resource("The stored resource."), ...errors(400, 403, 404, 409, 413, 415, 429, 503) },
      }),
    },
    "/api/v1/groups/{resource_group}/namespaces/{namespace}/kinds/{kind}/resources/{name}/release": {
      parameters: [pathPart("resource_group"), pathPart("namespace"), pathPart("kind"), pathPart("name")],
      post: operation("releaseQuarantine", "End the quarantine of a resource over which workers died", {
        parameters: [dryRun()],
        description: "It is due at once. 400 when it is in none. The body is not looked at.",
        responses: { 200: resource("The resource."), ...errors(400, 403, 404, 429, 503) },
      }),
    },
    "/api/v1/groups/{resource_group}/namespaces/{namespace}/kinds/{kind}/resources/{name}/work": {
      parameters: [pathPart("resource_group"), pathPart("namespace"), pathPart("kind"), pathPart("name")],
      get: operation("getWork", "Tell why a resource waits, who works on it, and what keeps it from going", {
        responses: {
          200: { description: "What the queue has for it.", content: json({ $ref: "#/components/schemas/Work" }) },
          ...errors(400, 404, 429, 503),
        },
      }),
    },
    "/api/v1/groups/{resource_group}/namespaces/{namespace}/kinds/{kind}/resources/{name}/history": {
      parameters: [pathPart("resource_group"), pathPart("namespace"), pathPart("kind"), pathPart("name")],
      get: operation("getHistory", "List what the change log has kept of a resource, newest first", {
        description: "Empty for a name nobody knows. Earlier resources of the name are in it too: their uid differs.",
        parameters: [
          query("page_size", "How many at most; 0 stands for the default.", {
            type: "integer",
            minimum: 0,
            maximum: HISTORY_PAGE_SIZE.max,
            default: HISTORY_PAGE_SIZE.default,
          }),
          query("page_token", "`Next-Page-Token` of the page before.", { type: "string" }),
        ],
        responses: {
          200: page({
            type: "object",
            required: ["type", "revision", "committed_at", "resource"],
            properties: {
              type: { type: "string", enum: ["ADDED", "MODIFIED", "DELETED"], description: "What happened." },
              revision: { type: "integer", minimum: 1, description: "Its position in the change log." },
              committed_at: { type: "string", format: "date-time", description: "When." },
              resource: { $ref: "#/components/schemas/Resource" },
            },
          }),
          ...errors(400, 429, 503),
        },
      }),
    },
    "/api/v1/kinds": {
      get: operation("listKinds", "List the kinds there are, with what they hold and how they do", {
        description: "An answer may be some seconds old: the longer counting takes, the more seldom it is done.",
        responses: {
          200: { description: "The kinds.", content: json({ $ref: "#/components/schemas/Kinds" }) },
          ...errors(429, 503),
        },
      }),
    },
    "/api/v1/resources": {
      get: operation("listResources", "List resources in the order of their creation", {
        parameters: [
          ...filters(),
          query("pending", "Only resources whose `version` is above their `current_version`.", {
            type: "boolean",
            default: false,
          }),
          query("limit", "How many at most; 0 stands for the default.", {
            type: "integer",
            minimum: 0,
            maximum: PAGE_SIZE_MAX,
            default: PAGE_SIZE_DEFAULT,
          }),
          query("offset", "How many to skip. Not together with `page_token`.", {
            type: "integer",
            minimum: 0,
            default: 0,
          }),
          query("page_token", "`Next-Page-Token` of the page before; cheaper than `offset`.", { type: "string" }),
        ],
        responses: {
          200: page({ $ref: "#/components/schemas/Resource" }),
          ...errors(400, 429, 503),
        },
      }),
    },
    "/api/v1/watch": {
      get: operation("watchResources", "Stream changes as Server-Sent Events", {
        description:
          "`event` is ADDED, MODIFIED, DELETED, SYNCED, BOOKMARK or ERROR; `id` is a resume token; `data` is one line of JSON. An EventSource resumes by itself.",
        parameters: [
          ...filters(),
          query("send_initial_state", "First send what exists, then SYNCED, then changes.", {
            type: "boolean",
            default: false,
          }),
          query("resume_token", "Go on after this position. Not together with `send_initial_state`.", {
            type: "string",
          }),
          {
            name: "Last-Event-ID",
            in: "header",
            description: "Goes before `resume_token` and `send_initial_state`; browsers send it.",
            schema: { type: "string" },
          },
        ],
        responses: {
          200: { description: "The stream.", content: { "text/event-stream": { schema: { type: "string" } } } },
          ...errors(400, 410, 429, 503),
        },
      }),
    },
    "/health/live": {
      get: operation("live", "Whether the process runs", {
        tags: ["probes"],
        responses: { 200: { description: "It does." } },
      }),
    },
    "/health/ready": {
      get: operation("ready", "Whether its dependencies answer", {
        tags: ["probes"],
        responses: { 200: { description: "They do." }, ...errors(503) },
      }),
    },
  },
  components: {
    schemas: {
      Error: {
        type: "object",
        required: ["error"],
        properties: { error: { type: "string", description: "What is wrong, with which field, and what to do." } },
      },
      Resource: {
        type: "object",
        required: [
          "resource_group",
          "kind",
          "namespace",
          "name",
          "shard_id",
          "version",
          "current_version",
          "spec",
          "status",
        ],
        properties: {
          resource_group: name("The API group."),
          kind: name("The type."),
          namespace: name("The user's grouping of names."),
          name: name("Unique within group, kind and namespace."),
          uid: {
            type: "string",
            description: "A deleted and re-created name has another one. Empty in the dry run of a creation.",
          },
          shard_id: name("The user's partition."),
          labels: labels(),
          annotations: { type: ["object", "null"], additionalProperties: { type: "string" } },
          finalizers: { type: ["array", "null"], items: { type: "string" } },
          owner: { oneOf: [{ $ref: "#/components/schemas/Owner" }, { type: "null" }] },
          created_at: { type: "string", format: "date-time" },
          updated_at: { type: "string", format: "date-time" },
          deletion_timestamp: { type: ["string", "null"], format: "date-time" },
          version: { type: "integer", minimum: 1, description: "Counts writes of the desired state." },
          current_version: { type: "integer", minimum: 0, description: "The last version a reconciler finished." },
          revision: {
            type: "integer",
            minimum: 0,
            description: "The position of the last write in the change log. 0 in the dry run of a creation.",
          },
          write_count: { type: "integer", minimum: 1, description: "Counts all writes of the resource." },
          spec: { description: "What is wanted; any JSON, as it was written." },
          status: { description: "What was observed; any JSON, as it was written." },
        },
      },
      Work: OPENAPI_WORK,
      Kinds: OPENAPI_KINDS,
      Owner: {
        type: "object",
        description: "The resource that another one belongs to, in the same namespace.",
        required: ["resource_group", "kind", "name"],
        properties: {
          resource_group: name("The owner's API group."),
          kind: name("The owner's type."),
          name: name("The owner's name."),
          uid: {
            type: ["string", "null"],
            format: "uuid",
            description: "In a write it may be left out: then whoever has the name now is meant.",
          },
        },
      },
      CreateResource: {
        type: "object",
        required: ["name", "shard_id"],
        properties: {
          name: name("Unique within group, kind and namespace."),
          ...metadata(),
          owner: owner("Absent or null is none."),
          spec: { description: "Any JSON." },
        },
      },
      UpdateResource: {
        type: "object",
        required: ["shard_id"],
        properties: {
          ...metadata(),
          owner: owner("Absent leaves the stored one, null takes it off."),
          spec: { description: "Any JSON; absent is null." },
          version: {
            type: ["integer", "null"],
            description: "When given, the write is refused unless the stored one equals it.",
          },
        },
      },
      UpdateResourceStatus: {
        type: "object",
        required: ["shard_id", "version"],
        properties: {
          ...metadata(),
          status: { description: "Any JSON; absent is null." },
          version: { type: "integer", description: "The write is refused unless the stored one equals it." },
          current_version: {
            type: "integer",
            minimum: 0,
            default: 0,
            description: "The version this status describes.",
          },
        },
      },
    },
  },
};

function operation(operationId: string, summary: string, details: object) {
  return { operationId, summary, tags: ["resources"], ...details };
}

function errors(...statuses: readonly number[]) {
  const content = json({ $ref: "#/components/schemas/Error" });
  return Object.fromEntries(statuses.map((status) => [status, { description: ERROR_WORDS[status], content }]));
}

function resource(description: string) {
  return { description, content: json({ $ref: "#/components/schemas/Resource" }) };
}

function page(items: object) {
  return {
    description: "A page.",
    headers: { "Next-Page-Token": { description: "Absent on the last page.", schema: { type: "string" } } },
    content: json({ type: "array", items }),
  };
}

function body(schema: string) {
  return { required: true, content: json({ $ref: `#/components/schemas/${schema}` }) };
}

function json(schema: object) {
  return { "application/json": { schema } };
}

function name(description: string) {
  return { type: "string", minLength: 1, maxLength: 255, description };
}

function pathPart(part: string) {
  return {
    name: part,
    in: "path",
    required: true,
    description: "Percent-encoded.",
    schema: { type: "string", minLength: 1 },
  };
}

function query(parameter: string, description: string, schema: object) {
  return { name: parameter, in: "query", description, schema };
}

function dryRun() {
  return query("dry_run", "Decide, check and answer as always, but write nothing.", {
    type: "boolean",
    default: false,
  });
}

function filters() {
  const exact = ["resource_group", "kind", "namespace", "name", "shard_id"];
  return [
    ...exact.map((parameter) => query(parameter, "Exact; empty matches everything.", { type: "string" })),
    query("owner_uid", "Exact `uid` of the owner.", { type: "string", format: "uuid" }),
    query("label_selector", "For example `tier in (web, api), env in (prod)`.", { type: "string" }),
  ];
}

function metadata() {
  return {
    shard_id: name("The user's partition."),
    labels: labels(),
    annotations: {
      type: ["object", "null"],
      additionalProperties: { type: "string" },
      description: "Absent removes them.",
    },
    finalizers: {
      type: ["array", "null"],
      items: { type: "string" },
      maxItems: 64,
      description: "Absent removes them.",
    },
  };
}

function owner(description: string) {
  return { oneOf: [{ $ref: "#/components/schemas/Owner" }, { type: "null" }], description };
}

function labels() {
  return { type: "object", maxProperties: 256, additionalProperties: { type: "string", maxLength: 255 } };
}
