-- Owners: children are found by their owner's uid; the rest of the owner's key is shown (its namespace is the child's).
ALTER TABLE resources
  ADD COLUMN owner_uid uuid,
  ADD COLUMN owner_group text COLLATE "C",
  ADD COLUMN owner_kind text COLLATE "C",
  ADD COLUMN owner_name text COLLATE "C",
  ADD CONSTRAINT resources_owner_is_whole CHECK (num_nonnulls(owner_uid, owner_group, owner_kind, owner_name) IN (0, 4));

CREATE INDEX resources_by_owner ON resources (owner_uid, id) WHERE owner_uid IS NOT NULL;

-- Owners whose deletion was requested and whose children are still to be dealt with; written with that request.
CREATE TABLE collections (
  owner_uid uuid CONSTRAINT collections_pkey PRIMARY KEY,
  resource_group text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  namespace text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  mode text NOT NULL CONSTRAINT collections_mode CHECK (mode IN ('BACKGROUND', 'FOREGROUND', 'ORPHAN')),
  due_at timestamptz NOT NULL
);

CREATE INDEX collections_due ON collections (due_at);

ALTER TABLE work_items
  -- due_at had passed when it was written; otherwise a look makes the item ready once it has. Says nothing while leased.
  ADD COLUMN is_ready boolean NOT NULL DEFAULT true,
  -- From the annotation reconcile.dev/priority: -1 high, 1 low; added to the class of every enqueue.
  ADD COLUMN priority_shift smallint NOT NULL DEFAULT 0,
  ADD COLUMN pending_since timestamptz,
  -- Workers in a row that died holding it; struck by two, it is leased alone.
  ADD COLUMN deaths smallint NOT NULL DEFAULT 0,
  ADD COLUMN is_struck boolean NOT NULL GENERATED ALWAYS AS (deaths >= 2) STORED,
  -- Workers in a row that died while it was all they held.
  ADD COLUMN strikes smallint NOT NULL DEFAULT 0,
  ADD COLUMN quarantined_at timestamptz,
  -- Whether the resource's condition tells of the quarantine already.
  ADD COLUMN is_quarantine_shown boolean NOT NULL DEFAULT false,
  -- The lease in force was given alone.
  ADD COLUMN lease_is_solo boolean NOT NULL DEFAULT false,
  ADD COLUMN progress text NOT NULL DEFAULT '',
  ADD COLUMN checkpoint bytea;

CREATE INDEX work_items_unshown_quarantine ON work_items (quarantined_at)
  WHERE quarantined_at IS NOT NULL AND NOT is_quarantine_shown;

UPDATE work_items SET is_ready = false WHERE due_at > now();

-- An item without a lease is in exactly one of these. Of what is ready, each namespace gets its turn.
DROP INDEX work_items_due;
CREATE INDEX work_items_ready ON work_items (resource_group, kind, priority, namespace, due_at)
  WHERE is_ready AND lease_token IS NULL AND NOT is_struck;
CREATE INDEX work_items_scheduled ON work_items (resource_group, kind, due_at)
  WHERE NOT is_ready AND lease_token IS NULL AND NOT is_struck;
CREATE INDEX work_items_struck ON work_items (resource_group, kind, due_at) WHERE is_struck AND lease_token IS NULL;

ALTER TABLE sessions
  -- 0: no limit, as below.
  ADD COLUMN passes_per_second double precision NOT NULL DEFAULT 0,
  ADD COLUMN burst integer NOT NULL DEFAULT 0,
  ADD COLUMN kind_concurrency integer NOT NULL DEFAULT 0,
  -- The token bucket of passes_per_second, as it was at `tokens_at`.
  ADD COLUMN tokens double precision NOT NULL DEFAULT 0,
  ADD COLUMN tokens_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE reconciled_kinds
  -- Of the newest registration; stays when its sessions are gone, to tell whose finalizer holds a resource.
  ADD COLUMN finalizer text NOT NULL DEFAULT '',
  ADD COLUMN max_leases integer NOT NULL DEFAULT 0;

-- Older programs write items without is_ready.
UPDATE store SET oldest_program_schema = 2;
ALTER TABLE store ALTER COLUMN oldest_program_schema SET DEFAULT 2;
