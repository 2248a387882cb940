-- Statements that delete rows past their retention. Each finds its rows by the primary key, a batch at a time, so that
-- the writer is free in between; none scans kept rows beyond the present step.

-- name: jobs_after
-- The next step of a walk through all jobs, the oldest first; a reader runs it.
SELECT seq, state, created_at, finished_at FROM jobs WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: events
-- Events of jobs that will be deleted, in batches: a job has up to a hundred.
DELETE FROM job_events WHERE (job_seq, number) IN (
  SELECT job_events.job_seq, job_events.number FROM json_each(:seqs) AS past
  CROSS JOIN jobs ON jobs.seq = past.value AND jobs.finished_at IS NOT NULL
  CROSS JOIN job_events ON job_events.job_seq = jobs.seq
  LIMIT :limit);

-- name: jobs
DELETE FROM jobs WHERE seq IN (SELECT value FROM json_each(:seqs)) AND finished_at IS NOT NULL;

-- name: schedule_after
-- The next schedule in the ledger, also one that is no longer configured.
SELECT min(schedule) AS schedule FROM fires WHERE schedule > :after;

-- name: fires
DELETE FROM fires WHERE (schedule, fire_time) IN (
  SELECT schedule, fire_time FROM fires
  WHERE schedule = :schedule AND fire_time < :before AND coalesce(until, fire_time) < :before
  ORDER BY fire_time LIMIT :limit);

-- name: keys_after
SELECT key, created_at FROM idempotency WHERE key > :after ORDER BY key LIMIT :limit;

-- name: keys
-- A key that was used again meanwhile stays.
DELETE FROM idempotency WHERE key IN (SELECT value FROM json_each(:keys)) AND created_at < :before;

-- name: audit_after
SELECT seq, at FROM audit WHERE seq > :after ORDER BY seq LIMIT :limit;

-- name: audit
DELETE FROM audit WHERE seq IN (SELECT value FROM json_each(:seqs));
