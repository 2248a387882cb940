-- Statements on the rare events of jobs. Each repeats the guard of the transition that it notes and runs in the same
-- transaction, so that neither happens without the other.

-- name: note_return
-- An attempt's job goes back into the queue: run it before the transition, which clears started_at.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :at, :event, :detail,
  attempt, started_at
FROM jobs WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NULL;

-- name: note_cancel_request
-- A request to end a running job.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :at, :event, :detail,
  attempt, started_at
FROM jobs WHERE id = :id AND state = 'running';

-- name: note_rescue
-- Jobs of dead instances that go back into the queue: run it after the others were ended.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :now, 'rescued',
  'the daemon died while it ran', attempt, started_at
FROM jobs
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance <> :instance;

-- name: note_stopped
-- The same for jobs of an instance that was asked to stop.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :now, 'interrupted',
  'interrupted: the daemon stopped', attempt, started_at
FROM jobs WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance = :stopped;

-- name: note
-- Any other event of a job whose row the same transaction has read.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT :job_seq, 1 + coalesce(max(number), 0), :at, :event, :detail, :attempt, :started_at
FROM job_events WHERE job_seq = :job_seq;
