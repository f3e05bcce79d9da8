-- Its own predicate: shared with work_items_deadline, a query for the leases of one session could be planned over all leases.
DROP INDEX work_items_leased;
CREATE INDEX work_items_leased ON work_items (lease_session_id) WHERE lease_session_id IS NOT NULL;
