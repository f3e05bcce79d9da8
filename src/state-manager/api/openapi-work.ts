/** The schema of `GET …/work` (work-json.ts). */
export const OPENAPI_WORK = {
  type: "object",
  required: ["state", "item", "holder", "reconciler", "deletion_timestamp", "finalizers", "owned_resources"],
  properties: {
    state: {
      type: "string",
      enum: ["SETTLED", "WAITING", "DUE", "LEASED", "QUARANTINED"],
      description:
        "Nothing to do; due later; due; held by a worker; tried only now and then, because workers died over it.",
    },
    item: {
      type: ["object", "null"],
      description: "The queue's entry; null when settled.",
      properties: {
        due_at: time("When the next pass is due."),
        reason: { type: "string", description: "Why, for example SPEC_CHANGED, RETRY or WORKER_DIED." },
        message: { type: "string", description: "Words given with Enqueue, or the last error." },
        failures: { type: "integer", minimum: 0, description: "Failed passes since the last success." },
        last_error: { type: "string", description: "The last error since the last success." },
        leased_at: time("Since when a worker holds it."),
        deadline: time("When that lease becomes void."),
        pending_since: time("Since when `version` is above `current_version`."),
        strikes: { type: "integer", minimum: 0, description: "Workers in a row that died while it was all they held." },
        quarantined_at: time("Since when it is quarantined."),
        progress: { type: "string", description: "What a holder said last of how far it came." },
      },
    },
    holder: {
      type: ["object", "null"],
      description: "The session that holds it.",
      properties: {
        name: { type: "string", description: "The reconciler." },
        instance_id: { type: "string", description: "Which of its instances." },
        language: { type: "string", description: "What it is written in." },
        epoch: { type: "integer", description: "Higher for every later session of the instance." },
        registered_at: time("When it registered."),
        expires_at: time("When it ends unless it is renewed."),
      },
    },
    reconciler: {
      type: ["string", "null"],
      description:
        "The reconciler of the kind with live sessions; null when there is none, and then nothing will happen.",
    },
    deletion_timestamp: time("When its deletion was requested."),
    finalizers: {
      type: "array",
      description: "What keeps it from going.",
      items: {
        type: "object",
        required: ["finalizer", "owner", "is_owner_live", "message"],
        properties: {
          finalizer: { type: "string", description: "The finalizer." },
          owner: {
            type: ["string", "null"],
            description: "The reconciler that registered it, or `server`; null when nobody did.",
          },
          is_owner_live: { type: "boolean", description: "Whether its owner is there." },
          message: { type: "string", description: "What it waits for, and what can be done." },
        },
      },
    },
    owned_resources: { type: "integer", minimum: 0, description: "Resources that belong to it; counts to 1,000." },
  },
};

function time(description: string) {
  return { type: ["string", "null"], format: "date-time", description };
}
