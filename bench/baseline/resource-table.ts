import { Redis } from "ioredis";
import pg from "pg";

/** Group, kind, namespace and name. */
export type Key = readonly [string, string, string, string];
type Labels = Readonly<Record<string, string>>;
/** What a request brings, and what is answered. */
export interface Resource {
  readonly shard_id: string;
  readonly labels?: Labels;
  readonly spec?: unknown;
  readonly status?: unknown;
}

const TABLES = `
CREATE TABLE IF NOT EXISTS resources (
  id bigserial PRIMARY KEY, resource_group text NOT NULL, kind text NOT NULL, namespace text NOT NULL, name text NOT NULL,
  shard_id text NOT NULL, version bigint NOT NULL DEFAULT 1, current_version bigint NOT NULL DEFAULT 0, spec jsonb, status jsonb,
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (resource_group, kind, namespace, name));
CREATE TABLE IF NOT EXISTS labels (
  resource_id bigint NOT NULL REFERENCES resources ON DELETE CASCADE, key text NOT NULL, value text NOT NULL,
  PRIMARY KEY (resource_id, key));
CREATE INDEX IF NOT EXISTS labels_by_value ON labels (key, value)`;

const BY_KEY = "WHERE resource_group = $1 AND kind = $2 AND namespace = $3 AND name = $4";
const LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";
const INSERT =
  "INSERT INTO resources (resource_group, kind, namespace, name, shard_id, spec) VALUES ($1, $2, $3, $4, $5, $6) RETURNING *";
const UPDATE = `UPDATE resources SET spec = $5, version = version + 1, updated_at = now() ${BY_KEY} RETURNING *`;
const UPDATE_STATUS = `UPDATE resources SET status = $5, current_version = version, updated_at = now() ${BY_KEY} RETURNING *`;
const SELECT = `SELECT * FROM resources ${BY_KEY}`;
const SELECT_LABELS = "SELECT key, value FROM labels WHERE resource_id = $1";
const DELETE_LABELS = "DELETE FROM labels WHERE resource_id = $1";
const INSERT_LABELS = "INSERT INTO labels SELECT $1, * FROM unnest($2::text[], $3::text[])";

type Row = Record<string, unknown> & { readonly id: string };

/** Every statement is prepared once per connection. */
export class ResourceTable {
  readonly #pool: pg.Pool;
  readonly #redis: Redis;

  private constructor(pool: pg.Pool, redis: Redis) {
    this.#pool = pool;
    this.#redis = redis;
  }

  static async open(databaseUrl: string, redisUrl: string): Promise<ResourceTable> {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 20 });
    await pool.query(TABLES);
    return new ResourceTable(pool, new Redis(redisUrl));
  }

  create(key: Key, { shard_id, spec, labels = {} }: Resource): Promise<unknown> {
    return this.#transaction(key, async (client) => {
      const [row] = await run(client, INSERT, [...key, shard_id, JSON.stringify(spec)]);
      if (row === undefined) throw new Error("an INSERT without a conflict clause returns its row");
      await this.#writeLabels(client, row, labels);
      return this.#publish("ADDED", { ...row, labels });
    });
  }

  update(key: Key, { spec, labels = {} }: Resource): Promise<unknown> {
    return this.#transaction(key, async (client) => {
      const [row] = await run(client, UPDATE, [...key, JSON.stringify(spec)]);
      if (row === undefined) return undefined;
      await run(client, DELETE_LABELS, [row.id]);
      await this.#writeLabels(client, row, labels);
      return this.#publish("MODIFIED", { ...row, labels });
    });
  }

  updateStatus(key: Key, { status }: Resource): Promise<unknown> {
    return this.#transaction(key, async (client) => {
      const [row] = await run(client, UPDATE_STATUS, [...key, JSON.stringify(status)]);
      return row && this.#publish("MODIFIED", await withLabels(client, row));
    });
  }

  get(key: Key): Promise<unknown> {
    return this.#transaction(key, async (client) => {
      const [row] = await run(client, SELECT, key);
      return row && withLabels(client, row);
    });
  }

  async #transaction<T>(key: Key, act: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      await client.query("BEGIN");
      await run(client, LOCK, [key.join("/")]);
      const result = await act(client);
      await client.query("COMMIT");
      return result;
    } catch (error) {
      await client.query("ROLLBACK");
      throw error;
    } finally {
      client.release();
    }
  }

  async #writeLabels(client: pg.PoolClient, row: Row, labels: Labels): Promise<void> {
    await run(client, INSERT_LABELS, [row.id, Object.keys(labels), Object.values(labels)]);
  }

  async #publish(type: string, resource: Row & Record<string, unknown>): Promise<unknown> {
    const fields = ["type", type, "resource", JSON.stringify(resource)];
    await this.#redis.xadd(`${resource.shard_id}_stream`, "MAXLEN", "~", "10000", "*", ...fields);
    return resource;
  }
}

async function withLabels(client: pg.PoolClient, row: Row): Promise<Row & Record<string, unknown>> {
  const labels = await run(client, SELECT_LABELS, [row.id]);
  return { ...row, labels: Object.fromEntries(labels.map(({ key, value }) => [key, value])) };
}

async function run(client: pg.PoolClient, text: string, values: readonly unknown[]): Promise<Row[]> {
  return (await client.query<Row>({ name: text, text, values: [...values] })).rows;
}
