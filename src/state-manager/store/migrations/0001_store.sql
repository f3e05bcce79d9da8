-- The store's identity and its fixed choices; one row.
CREATE TABLE store (
  singleton boolean PRIMARY KEY DEFAULT true CONSTRAINT store_is_one_row CHECK (singleton),
  store_id uuid NOT NULL,
  log_count smallint NOT NULL CONSTRAINT store_log_count_range CHECK (log_count BETWEEN 1 AND 64),
  -- A program older than this schema number must not run against the store.
  oldest_program_schema integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- One row per log: locked to append, never updated, so a held snapshot elsewhere cannot bloat it (2.3).
CREATE TABLE log_heads (
  log_id smallint PRIMARY KEY
);

-- The last event that retention dropped, per log; its own row because the head is never updated.
CREATE TABLE log_floors (
  log_id smallint PRIMARY KEY,
  revision bigint NOT NULL,
  fingerprint bigint NOT NULL
);

-- Creation order. Numbers are drawn under a log's lock, before the row is written; gaps are harmless here.
CREATE SEQUENCE resource_ids AS bigint;

CREATE TABLE resources (
  id bigint CONSTRAINT resources_pkey PRIMARY KEY,
  resource_group text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  namespace text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  uid uuid NOT NULL,
  shard_id text COLLATE "C" NOT NULL,
  log_id smallint NOT NULL,
  labels jsonb NOT NULL,
  annotations json NOT NULL,
  finalizers json NOT NULL,
  spec json,
  status json,
  generation bigint NOT NULL,
  observed_generation bigint NOT NULL,
  revision bigint NOT NULL,
  write_count bigint NOT NULL,
  -- Of spec, status and metadata: bounds what a page brings into memory, without reading what is stored out of line.
  bytes integer NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  deletion_requested_at timestamptz,
  CONSTRAINT resources_key UNIQUE (resource_group, kind, namespace, name),
  CONSTRAINT resources_observed_not_ahead CHECK (observed_generation <= generation)
) WITH (fillfactor = 80);

-- Every index column changes only on create or when a user moves or relabels: status writes stay HOT (2.11).
-- An expression, so that no lookup by key can take it for the better index while there are no statistics yet.
CREATE INDEX resources_by_kind ON resources ((resource_group || '/' || kind), id);
CREATE INDEX resources_by_shard ON resources (shard_id, id);
CREATE INDEX resources_by_label ON resources USING gin (labels jsonb_path_ops) WITH (fastupdate = off);

-- The change log. `bucket` is the hour of the commit on the database clock, never decreasing along a log; retention
-- drops whole partitions.
CREATE TABLE events (
  log_id smallint NOT NULL,
  revision bigint NOT NULL,
  bucket integer NOT NULL,
  fingerprint bigint NOT NULL,
  previous_fingerprint bigint NOT NULL,
  committed_at timestamptz NOT NULL,
  type text NOT NULL CONSTRAINT events_type CHECK (type IN ('ADDED', 'MODIFIED', 'DELETED')),
  resource_group text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  namespace text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  -- As in resources.
  bytes integer NOT NULL,
  -- Everything of the event but the key, spec and status, as change-codec.ts writes it.
  meta text NOT NULL,
  spec text,
  status text,
  CONSTRAINT events_pkey PRIMARY KEY (log_id, revision, bucket)
) PARTITION BY RANGE (bucket);

CREATE INDEX events_history ON events (resource_group, kind, namespace, name, revision);

-- The queue: one row per key while a pass is due, waiting or leased. Not an index on resources: see 2.11.
CREATE TABLE work_items (
  resource_group text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  namespace text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  resource_id bigint,
  shard_id text COLLATE "C" NOT NULL,
  wanted bigint NOT NULL,
  due_at timestamptz,
  priority smallint NOT NULL,
  reason text NOT NULL,
  message text NOT NULL DEFAULT '',
  failures integer NOT NULL DEFAULT 0,
  last_error text NOT NULL DEFAULT '',
  is_pending boolean NOT NULL,
  lease_token text,
  lease_session_id uuid,
  -- The life of the key that was leased: a report must not reach a successor.
  lease_resource_id bigint,
  lease_wanted bigint,
  leased_at timestamptz,
  lease_deadline timestamptz,
  CONSTRAINT work_items_pkey PRIMARY KEY (resource_group, kind, namespace, name),
  CONSTRAINT work_items_lease_is_whole CHECK (
    num_nonnulls(lease_token, lease_session_id, lease_resource_id, lease_wanted, leased_at, lease_deadline) IN (0, 6)
  ),
  CONSTRAINT work_items_has_purpose CHECK (due_at IS NOT NULL OR lease_token IS NOT NULL),
  CONSTRAINT work_items_due_has_resource CHECK (due_at IS NULL OR resource_id IS NOT NULL)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX work_items_due ON work_items (resource_group, kind, priority, due_at) WHERE lease_token IS NULL;
CREATE INDEX work_items_pending ON work_items (resource_id) WHERE is_pending;
CREATE INDEX work_items_leased ON work_items (lease_session_id) WHERE lease_token IS NOT NULL;
CREATE INDEX work_items_deadline ON work_items (lease_deadline) WHERE lease_token IS NOT NULL;

-- One row per live worker session; the only row a Renew writes.
CREATE TABLE sessions (
  session_id uuid PRIMARY KEY,
  epoch bigint GENERATED ALWAYS AS IDENTITY,
  reconciler text NOT NULL,
  instance_id text NOT NULL,
  language text NOT NULL,
  shard_ids text[] NOT NULL,
  concurrency integer NOT NULL,
  lease_duration_ms integer NOT NULL,
  backoff_base_ms integer NOT NULL,
  backoff_max_ms integer NOT NULL,
  resync_period_ms bigint NOT NULL,
  pass_deadline_ms integer NOT NULL,
  finalizer text NOT NULL,
  -- The Attach stream in force; a stream that ends returns the leases only while it is still this one.
  attachment uuid,
  registered_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT sessions_instance UNIQUE (reconciler, instance_id)
);

CREATE TABLE session_kinds (
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  resource_group text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  CONSTRAINT session_kinds_pkey PRIMARY KEY (session_id, resource_group, kind)
);

-- Who reconciles a kind, and where its periodic full pass stands.
CREATE TABLE reconciled_kinds (
  resource_group text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  reconciler text NOT NULL,
  resync_period_ms bigint NOT NULL,
  -- The sweep goes on after this resource id.
  sweep_cursor bigint NOT NULL DEFAULT 0,
  sweep_due_at timestamptz NOT NULL,
  CONSTRAINT reconciled_kinds_pkey PRIMARY KEY (resource_group, kind)
);
