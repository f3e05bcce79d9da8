-- Whether the status has a condition Ready that is not True (src/resource/conditions.ts). Most updates leave it as it is, and so
-- stay heap-only although an index is on it. A program of before this migration leaves it as it is too, until the next report: only
-- a count is wrong meanwhile, so such programs may go on.
ALTER TABLE resources ADD COLUMN is_unready boolean NOT NULL DEFAULT false;

UPDATE resources SET is_unready = true
WHERE status::text LIKE '%"Ready"%' AND EXISTS (
  SELECT FROM json_array_elements(CASE json_typeof(status -> 'conditions') WHEN 'array' THEN status -> 'conditions' END) AS c
  WHERE c ->> 'type' = 'Ready' AND c ->> 'status' IS DISTINCT FROM 'True');

CREATE INDEX resources_unready ON resources (resource_group, kind) WHERE is_unready;

-- Few rows at any time, all quarantined ones among them. Not on quarantined_at: what shows new quarantines has an index of its own
-- on that, and must not take this one for the better while there are no statistics yet.
CREATE INDEX work_items_struck_alone ON work_items (resource_group, kind, namespace, name) WHERE strikes > 0;

-- Since the registration, some seconds behind.
ALTER TABLE sessions
  ADD COLUMN passes bigint NOT NULL DEFAULT 0,
  ADD COLUMN failed_passes bigint NOT NULL DEFAULT 0;
