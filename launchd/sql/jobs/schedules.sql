-- Statements on schedules and their ledger.

-- name: states
SELECT name, cursor, paused, note, spec FROM schedules;

-- name: begin
-- A new schedule starts now: earlier occurrences are not missed.
INSERT INTO schedules (name, cursor, spec) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING;

-- name: redefine
-- The definition has changed: earlier occurrences of the new one are not missed.
UPDATE schedules SET cursor = :cursor, spec = :spec WHERE name = :name;

-- name: advance
-- The cursor only grows, except by correct_cursor.
UPDATE schedules SET cursor = :cursor WHERE name = :name AND cursor < :cursor;

-- name: record
-- One ledger row; an occurrence that has a row keeps its first verdict.
INSERT INTO fires (schedule, fire_time, outcome, reason, job_id, count, until) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (schedule, fire_time) DO NOTHING;

-- name: on_record
-- The last row that begins at or before an occurrence; it covers the occurrence unless its `until` is earlier.
SELECT coalesce(until, fire_time) AS until FROM fires WHERE schedule = ? AND fire_time <= ?
ORDER BY fire_time DESC LIMIT 1;

-- name: last_within
-- The latest end of the rows that begin in [first, last].
SELECT max(coalesce(until, fire_time)) AS until FROM fires WHERE schedule = ? AND fire_time BETWEEN ? AND ?;

-- name: correct_cursor
UPDATE schedules SET cursor = :cursor WHERE name = :name;

-- name: last_rows
-- The last rows that begin at or before an instant; one of them may reach beyond it.
SELECT fire_time, outcome, reason, job_id, count, until FROM fires WHERE schedule = ? AND fire_time <= ?
ORDER BY fire_time DESC LIMIT 8;

-- name: forget_ahead
-- Rows of future occurrences without a job, written while the clock was ahead. A few at a time.
DELETE FROM fires WHERE (schedule, fire_time) IN (
  SELECT schedule, fire_time FROM fires
  WHERE schedule = :schedule AND fire_time > :now AND job_id IS NULL LIMIT :limit);

-- name: fired_ahead
-- The last future occurrence with a job: it must not be fired again.
SELECT max(fire_time) AS fire_time FROM fires WHERE schedule = :schedule AND fire_time > :now AND job_id IS NOT NULL;

-- name: add_reason
-- Add the reason of a correction to an existing row, up to 500 characters in all.
UPDATE fires SET reason = substr(coalesce(reason || '; ', '') || :reason, 1, 500)
WHERE schedule = :schedule AND fire_time = :fire_time;

-- name: active_jobs
-- The unfinished jobs of a schedule, oldest first, for the overlap policy.
SELECT id, queue, state, waits_for FROM jobs
WHERE schedule = ? AND schedule IS NOT NULL AND finished_at IS NULL ORDER BY seq;

-- name: last_active
-- The newest of them; if any of them waits for another, this one does.
SELECT id, waits_for FROM jobs
WHERE schedule = ? AND schedule IS NOT NULL AND finished_at IS NULL ORDER BY seq DESC LIMIT 1;

-- name: queued_jobs
-- The oldest of them that are still queued.
SELECT id, queue FROM jobs
WHERE schedule = ? AND schedule IS NOT NULL AND finished_at IS NULL AND state = 'queued' ORDER BY seq LIMIT ?;

-- name: pause
UPDATE schedules SET paused = :paused, note = :note WHERE name = :name;

-- name: fires
SELECT schedule, fire_time, outcome, reason, job_id, count, until FROM fires
WHERE schedule = :schedule AND (:cursor IS NULL OR fire_time < :cursor)
ORDER BY fire_time DESC LIMIT :limit;

-- name: fires_within
-- Every row that covers a part of [first, last]; a range row may begin earlier.
SELECT schedule, fire_time, outcome, reason, job_id, count, until FROM fires
WHERE schedule = :schedule AND fire_time <= :last AND coalesce(until, fire_time) >= :first ORDER BY fire_time;

-- name: forget_fire
DELETE FROM fires WHERE schedule = ? AND fire_time = ?;
