/** The schema of `GET /api/v1/kinds` (kinds-json.ts). */
export const OPENAPI_KINDS = {
  type: "object",
  required: ["counted_at", "kinds"],
  properties: {
    counted_at: { type: "string", format: "date-time", description: "When it was counted." },
    kinds: {
      type: "array",
      description: "By group and kind.",
      items: {
        type: "object",
        properties: {
          resource_group: { type: "string", description: "The API group." },
          kind: { type: "string", description: "The type." },
          resources: count("Resources."),
          pending: count("Those whose `version` is above their `current_version`."),
          not_ready: count("Those whose status has a condition Ready that is not True."),
          failing: count("Those whose last pass failed."),
          quarantined: count("Those over which workers died."),
          due: count("Those that wait for a worker."),
          leased: count("Those that a worker holds."),
          oldest_due_at: {
            type: ["string", "null"],
            format: "date-time",
            description: "Since when the one that waits longest is due.",
          },
          reconciler: {
            type: ["string", "null"],
            description: "The reconciler with live sessions for the kind; null when there is none.",
          },
          sessions: count("How many sessions that is."),
        },
      },
    },
  },
};

function count(description: string) {
  return { type: "integer", minimum: 0, description };
}
