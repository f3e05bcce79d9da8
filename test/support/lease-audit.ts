/** Every lease that was ever taken, written down by PostgreSQL itself: the queue cannot be wrong about it. */
import type { World } from "./world.js";

/** A lease that began or ended. */
export interface AuditRow extends Record<string, unknown> {
  readonly name: string;
  readonly token: string;
  /** The worker's instance. */
  readonly instance: string | null;
  readonly change: "taken" | "ended";
  /** Milliseconds since 1970, on the machine's clock. */
  readonly at: number;
}

const CREATE = `
  CREATE TABLE lease_audit (
    id bigserial PRIMARY KEY, name text NOT NULL, token text NOT NULL, instance text, change text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE FUNCTION audit_lease() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF TG_OP <> 'DELETE' AND TG_OP <> 'INSERT' AND OLD.lease_token IS NOT DISTINCT FROM NEW.lease_token THEN
      RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' AND OLD.lease_token IS NOT NULL THEN
      INSERT INTO lease_audit (name, token, change) VALUES (OLD.name, OLD.lease_token, 'ended');
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.lease_token IS NOT NULL THEN
      INSERT INTO lease_audit (name, token, change, instance)
      SELECT NEW.name, NEW.lease_token, 'taken', (SELECT instance_id FROM sessions WHERE session_id = NEW.lease_session_id);
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER audit_lease AFTER INSERT OR UPDATE OR DELETE ON work_items FOR EACH ROW EXECUTE FUNCTION audit_lease();`;

/** Writes down every lease from now on. */
export async function auditLeases(world: World): Promise<void> {
  await world.sql(CREATE);
}

/** What was written down about the resources whose names begin so, in order. */
export async function readLeaseAudit(world: World, prefix = ""): Promise<readonly AuditRow[]> {
  const columns = "name, token, instance, change, extract(epoch FROM at)::float8 * 1000 AS at";
  return world.sql<AuditRow>(`SELECT ${columns} FROM lease_audit WHERE name LIKE '${prefix}%' ORDER BY id`);
}

/** Where a lease began before the one before it had ended, or a token was used again (I7, I8). */
export function overlapsIn(rows: readonly AuditRow[]): readonly string[] {
  const held = new Map<string, string>();
  const used = new Set<string>();
  return rows.flatMap(({ name, token, change }) => {
    const holder = held.get(name);
    if (change === "ended") {
      held.delete(name);
      return holder === token ? [] : [`${name}: ${token} ended while ${holder} held it`];
    }
    held.set(name, token);
    const isUsed = used.has(token);
    used.add(token);
    if (isUsed) return [`${name}: ${token} was taken twice`];
    return holder === undefined ? [] : [`${name}: ${token} was taken while ${holder} held it`];
  });
}
