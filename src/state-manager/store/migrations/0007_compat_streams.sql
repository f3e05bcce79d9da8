-- Whether the streams of existing operators are written (COMPAT_STREAMS): a choice of the store, so that every replica makes it. A
-- program of before this migration does not read it and may go on beside.
ALTER TABLE store ADD COLUMN compat_streams boolean NOT NULL DEFAULT false;
