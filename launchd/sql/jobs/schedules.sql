-- Statements on schedules and their ledger.

-- name: states
SELECT name, cursor, paused, note, spec FROM schedules;

-- name: begin
-- A schedule never seen before starts now: it owes nothing for the past.
INSERT INTO schedules (name, cursor, spec) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING;

-- name: redefine
-- What a schedule means has changed: it owes nothing for the past.
UPDATE schedules SET cursor = :cursor, spec = :spec WHERE name = :name;

-- name: advance
-- The cursor only grows, but for a correction of the clock.
UPDATE schedules SET cursor = :cursor WHERE name = :name AND cursor < :cursor;

-- name: record
-- One ledger row; an occurrence that is on record keeps its first verdict.
INSERT INTO fires (schedule, fire_time, outcome, reason, job_id, count, until) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (schedule, fire_time) DO NOTHING;

-- name: on_record
-- The last row that begins at or before an occurrence: it covers it when `until` is not before.
SELECT coalesce(until, fire_time) AS until FROM fires WHERE schedule = ? AND fire_time <= ?
ORDER BY fire_time DESC LIMIT 1;

-- name: last_within
-- How far the rows that begin in [first, last] reach.
SELECT max(coalesce(until, fire_time)) AS until FROM fires WHERE schedule = ? AND fire_time BETWEEN ? AND ?;

-- name: correct_cursor
UPDATE schedules SET cursor = :cursor WHERE name = :name;

-- name: last_rows
-- The last rows that begin at or before an instant: one of them may reach beyond it.
SELECT fire_time, outcome, reason, job_id, count, until FROM fires WHERE schedule = ? AND fire_time <= ?
ORDER BY fire_time DESC LIMIT 8;

-- name: forget_ahead
-- Verdicts without a job on occurrences that are yet to come: a clock that was wrong has given them. A few at a time.
DELETE FROM fires WHERE (schedule, fire_time) IN (
  SELECT schedule, fire_time FROM fires
  WHERE schedule = :schedule AND fire_time > :now AND job_id IS NULL LIMIT :limit);

-- name: fired_ahead
-- The last occurrence yet to come that has a job: it is not fired again.
SELECT max(fire_time) AS fire_time FROM fires WHERE schedule = :schedule AND fire_time > :now AND job_id IS NOT NULL;

-- name: add_reason
-- The ledger says why the schedule went on from here, also where each occurrence has its verdict. Bounded.
UPDATE fires SET reason = substr(coalesce(reason || '; ', '') || :reason, 1, 500)
WHERE schedule = :schedule AND fire_time = :fire_time;

-- name: active_jobs
-- The jobs of a schedule that have not ended, oldest first: what an overlap policy is about.
SELECT id, queue, state, waits_for FROM jobs
WHERE schedule = ? AND schedule IS NOT NULL AND finished_at IS NULL ORDER BY seq;

-- name: last_active
-- The newest of them: if any waits for another, it does.
SELECT id, waits_for FROM jobs
WHERE schedule = ? AND schedule IS NOT NULL AND finished_at IS NULL ORDER BY seq DESC LIMIT 1;

-- name: queued_jobs
-- The oldest of them that have not started.
SELECT id, queue FROM jobs
WHERE schedule = ? AND schedule IS NOT NULL AND finished_at IS NULL AND state = 'queued' ORDER BY seq LIMIT ?;

-- name: pause
UPDATE schedules SET paused = :paused, note = :note WHERE name = :name;

-- name: fires
SELECT schedule, fire_time, outcome, reason, job_id, count, until FROM fires
WHERE schedule = :schedule AND (:cursor IS NULL OR fire_time < :cursor)
ORDER BY fire_time DESC LIMIT :limit;

-- name: fires_within
-- Every row that covers a part of [first, last]; a range row may begin before it.
SELECT schedule, fire_time, outcome, reason, job_id, count, until FROM fires
WHERE schedule = :schedule AND fire_time <= :last AND coalesce(until, fire_time) >= :first ORDER BY fire_time;

-- name: forget_fire
DELETE FROM fires WHERE schedule = ? AND fire_time = ?;
