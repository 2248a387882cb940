-- Statements on the last reading of the clocks, and on stored times that are corrected after the wall clock was set.

-- name: last
SELECT wall, boot, boot_id FROM clock;

-- name: note
INSERT INTO clock (one, wall, boot, boot_id) VALUES (1, :wall, :boot, :boot_id)
ON CONFLICT (one) DO UPDATE SET wall = excluded.wall, boot = excluded.boot, boot_id = excluded.boot_id;

-- name: newest
-- The creation time of the newest job: without a stored reading, the last known wall time.
SELECT created_at FROM jobs ORDER BY seq DESC LIMIT 1;

-- name: begin_shift
-- Start a shift of all jobs that exist now: later jobs are created by the new clock.
UPDATE clock SET shift = :delta, shift_at = :now, shift_after = 0, shift_last = (SELECT coalesce(max(seq), 0) FROM jobs);

-- name: pending_shift
SELECT shift, shift_at, shift_after, shift_last FROM clock WHERE shift IS NOT NULL;

-- name: bound
-- The end of the next batch: :rows rows further by the primary key.
SELECT seq FROM jobs WHERE seq > :after AND seq <= :last ORDER BY seq LIMIT 1 OFFSET :rows;

-- name: advance_shift
UPDATE clock SET shift_after = :until, shift = CASE WHEN :until < shift_last THEN shift END;

-- name: shift_waits
-- A delay that counts from a moment of the old clock keeps its length by the new one. It never counts from a future
-- moment.
UPDATE jobs SET run_at = run_at + min(:delta, :now - counted_from),
  claim_order = claim_order + min(:delta, :now - counted_from),
  counted_from = counted_from + min(:delta, :now - counted_from)
WHERE seq > :after AND seq <= :until AND ready IS NOT NULL AND counted_from NOT BETWEEN :since AND :upto;

-- name: shift_expiry
-- The same for expires_at. Run it before the other two, which change the columns that it reads.
UPDATE jobs SET expires_at = expires_at + min(:delta, :now - coalesce(counted_from, created_at))
WHERE seq > :after AND seq <= :until AND ready IS NOT NULL AND expires_at IS NOT NULL
  AND coalesce(counted_from, created_at) NOT BETWEEN :since AND :upto;

-- name: shift_creation
UPDATE jobs SET created_at = created_at + min(:delta, :now - created_at)
WHERE seq > :after AND seq <= :until AND ready IS NOT NULL AND created_at > :now;

-- name: shift_keys
-- A key counts for a day after its use, not for years because the clock was ahead.
UPDATE idempotency SET created_at = min(created_at + :delta, :now) WHERE created_at > :now;

-- name: starts_ahead
-- Starts in the future of the new clock: they count as starts of now, which never permits more than the rate.
SELECT queue, sum(count) AS count FROM starts WHERE at > :now GROUP BY queue;

-- name: forget_starts_ahead
DELETE FROM starts WHERE at > :now;

-- name: put_start
INSERT INTO starts (queue, at, count) VALUES (:queue, :now, :count)
ON CONFLICT (queue, at) DO UPDATE SET count = count + excluded.count;

-- name: shift_alerts
-- Repetitions and the hourly limit count from these times.
UPDATE alerts SET created_at = min(created_at, :now), last_at = min(last_at, :now),
  admitted_at = min(admitted_at, :now)
WHERE created_at > :now OR last_at > :now OR admitted_at > :now;

-- name: shift_troubles
UPDATE alert_troubles SET since = min(since, :now), clear_since = min(clear_since, :now)
WHERE since > :now OR clear_since > :now;
