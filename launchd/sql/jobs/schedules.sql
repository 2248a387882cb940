-- Statements on schedules and their ledger.

-- name: states
SELECT name, cursor, paused, note FROM schedules;

-- name: begin
-- A schedule never seen before starts now: it owes nothing for the past.
INSERT INTO schedules (name, cursor) VALUES (?, ?) ON CONFLICT (name) DO NOTHING;

-- name: advance
-- The cursor only grows, so a clock that went back refires nothing.
UPDATE schedules SET cursor = :cursor WHERE name = :name AND cursor < :cursor;

-- name: record
-- One ledger row; an occurrence that is on record keeps its first verdict.
INSERT INTO fires (schedule, fire_time, outcome, reason, job_id, count, until) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (schedule, fire_time) DO NOTHING;

-- name: active_job
-- The job of a schedule that has not ended: what a fire with overlap = skip must wait for.
SELECT id FROM jobs WHERE schedule = ? AND schedule IS NOT NULL AND state IN ('queued', 'running') LIMIT 1;

-- name: pause
UPDATE schedules SET paused = :paused, note = :note WHERE name = :name;

-- name: fires
SELECT schedule, fire_time, outcome, reason, job_id, count, until FROM fires
WHERE schedule = :schedule AND (:cursor IS NULL OR fire_time < :cursor)
ORDER BY fire_time DESC LIMIT :limit;
