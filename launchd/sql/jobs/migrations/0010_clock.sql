-- The clocks as they last were, and from when a wait counts: what a wrong clock wrote can be told and put right.

ALTER TABLE jobs ADD COLUMN counted_from INTEGER;

-- a retry and a fire wait from a moment; as to a delay of a client nobody knows any more
UPDATE jobs SET counted_from = created_at WHERE ready IS NOT NULL AND (attempt > 0 OR schedule IS NOT NULL);

CREATE TABLE clock (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  wall INTEGER NOT NULL,
  boot INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  -- a correction that has not reached every waiting job: by how much, when, and the rows (after, last] that are left
  shift INTEGER, shift_at INTEGER, shift_after INTEGER, shift_last INTEGER
) STRICT;
