/** A condition, as far as anybody who may write a status has kept to the form. */
export interface ShownCondition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  /** Undefined when it does not say. */
  readonly since: Date | undefined;
}

/** The conditions of a status, and what else there is in it. Whatever a status is, nothing of it is lost. */
export function splitStatus(status: unknown): {
  readonly conditions: readonly ShownCondition[];
  readonly rest: unknown;
} {
  if (!isRecord(status) || !Array.isArray(status.conditions)) return { conditions: [], rest: status };
  const { conditions, ...rest } = status;
  const shown = status.conditions.filter(isRecord).map(({ type, status, reason, message, lastTransitionTime }) => ({
    type: String(type),
    status: String(status),
    reason: String(reason ?? ""),
    message: String(message ?? ""),
    since: typeof lastTransitionTime === "string" ? new Date(lastTransitionTime) : undefined,
  }));
  const isWhole = shown.length === status.conditions.length;
  return { conditions: shown, rest: isWhole ? rest : status };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
