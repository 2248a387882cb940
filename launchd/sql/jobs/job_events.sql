-- Statements on what happened to a job off the plain path. Each repeats the guard of the transition that it notes and is
-- run in that transaction, so that neither is ever without the other.

-- name: note_return
-- An attempt comes back into its queue: run before the transition, which forgets when the attempt began.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :at, :event, :detail,
  attempt, started_at
FROM jobs WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NULL;

-- name: note_cancel_request
-- The end of a running job is wanted.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :at, :event, :detail,
  attempt, started_at
FROM jobs WHERE id = :id AND state = 'running';

-- name: note_rescue
-- What a dead instance ran goes back into its queue: run once those that do not were ended.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :now, 'rescued',
  'the daemon died while it ran', attempt, started_at
FROM jobs
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance <> :instance;

-- name: note_stopped
-- The same for what an instance ran that had been asked to stop.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT seq, 1 + coalesce((SELECT max(number) FROM job_events WHERE job_seq = jobs.seq), 0), :now, 'interrupted',
  'interrupted: the daemon stopped', attempt, started_at
FROM jobs WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance = :stopped;

-- name: note
-- Whatever else, of a job whose row the same transaction has read.
INSERT INTO job_events (job_seq, number, at, event, detail, attempt, started_at)
SELECT :job_seq, 1 + coalesce(max(number), 0), :at, :event, :detail, :attempt, :started_at
FROM job_events WHERE job_seq = :job_seq;
