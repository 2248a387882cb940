-- Statements on the clocks, and on what is written anew when the wall clock was set.

-- name: last
SELECT wall, boot, boot_id FROM clock;

-- name: note
INSERT INTO clock (one, wall, boot, boot_id) VALUES (1, :wall, :boot, :boot_id)
ON CONFLICT (one) DO UPDATE SET wall = excluded.wall, boot = excluded.boot, boot_id = excluded.boot_id;

-- name: newest
-- When the newest job was made: where no reading was kept, that is the last that is known of the wall clock.
SELECT created_at FROM jobs ORDER BY seq DESC LIMIT 1;

-- name: begin_shift
-- Jobs made from now on are made under the new clock: they are not among those to be shifted.
UPDATE clock SET shift = :delta, shift_at = :now, shift_after = 0, shift_last = (SELECT coalesce(max(seq), 0) FROM jobs);

-- name: pending_shift
SELECT shift, shift_at, shift_after, shift_last FROM clock WHERE shift IS NOT NULL;

-- name: bound
-- The end of the next batch: so many rows on by the primary key, whatever their numbers.
SELECT seq FROM jobs WHERE seq > :after AND seq <= :last ORDER BY seq LIMIT 1 OFFSET :rows;

-- name: advance_shift
UPDATE clock SET shift_after = :until, shift = CASE WHEN :until < shift_last THEN shift END;

-- name: shift_waits
-- A wait that counts from a moment of the old clock lasts as long by the new one. Never from a moment yet to come.
UPDATE jobs SET run_at = run_at + min(:delta, :now - counted_from),
  claim_order = claim_order + min(:delta, :now - counted_from),
  counted_from = counted_from + min(:delta, :now - counted_from)
WHERE seq > :after AND seq <= :until AND ready IS NOT NULL AND counted_from NOT BETWEEN :since AND :upto;

-- name: shift_expiry
-- The same for the time that a job may wait at all. To be run before the others: it goes by what they change.
UPDATE jobs SET expires_at = expires_at + min(:delta, :now - coalesce(counted_from, created_at))
WHERE seq > :after AND seq <= :until AND ready IS NOT NULL AND expires_at IS NOT NULL
  AND coalesce(counted_from, created_at) NOT BETWEEN :since AND :upto;

-- name: shift_creation
UPDATE jobs SET created_at = created_at + min(:delta, :now - created_at)
WHERE seq > :after AND seq <= :until AND ready IS NOT NULL AND created_at > :now;

-- name: shift_keys
-- A key counts for a day from its use: not for the years that the clock was ahead.
UPDATE idempotency SET created_at = min(created_at + :delta, :now) WHERE created_at > :now;

-- name: starts_ahead
-- Starts that are yet to come by the new clock: they count as made now, which limits no less than the rate allows.
SELECT queue, sum(count) AS count FROM starts WHERE at > :now GROUP BY queue;

-- name: forget_starts_ahead
DELETE FROM starts WHERE at > :now;

-- name: put_start
INSERT INTO starts (queue, at, count) VALUES (:queue, :now, :count)
ON CONFLICT (queue, at) DO UPDATE SET count = count + excluded.count;

-- name: shift_alerts
-- Repeats and the hourly limit count from these.
UPDATE alerts SET created_at = min(created_at, :now), last_at = min(last_at, :now),
  admitted_at = min(admitted_at, :now)
WHERE created_at > :now OR last_at > :now OR admitted_at > :now;

-- name: shift_troubles
UPDATE alert_troubles SET since = min(since, :now), clear_since = min(clear_since, :now)
WHERE since > :now OR clear_since > :now;
