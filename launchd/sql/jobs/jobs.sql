-- Statements on jobs. Each UPDATE repeats the guard of the transition table (launchd/job.py).

-- name: insert
-- A new job; `ready` is 1 if its run_at has come.
INSERT INTO jobs (id, task, queue, state, args, priority, max_retries, schedule, fire_time, created_at, run_at,
  expires_at, claim_order, ready, lock, unique_key, waits_for, counted_from)
VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: twin
-- The unfinished job with a unique key, if there is one.
SELECT id FROM jobs WHERE unique_key = ? AND unique_key IS NOT NULL AND finished_at IS NULL;

-- name: promotable
-- Jobs that became due, in batches, so that a million of them never hold the writer for long.
SELECT seq FROM jobs WHERE ready = 0 AND waits_for IS NULL AND run_at <= :now ORDER BY run_at LIMIT :limit;

-- name: promote
-- Make these jobs ready: they may be claimed.
UPDATE jobs SET ready = 1 WHERE seq IN (SELECT value FROM json_each(:seqs)) RETURNING id;

-- name: next_later
-- When the next future job is due or expires: the promoter may sleep until then. The run_at of a job that waits for
-- another counts too, since it may become free before.
SELECT min(at) FROM (
  SELECT min(run_at) AS at FROM jobs WHERE ready = 0 AND waits_for IS NULL
  UNION ALL SELECT min(run_at) FROM jobs WHERE waits_for IS NOT NULL AND ready = 0 AND run_at > :now
  UNION ALL SELECT min(expires_at) FROM jobs WHERE expires_at IS NOT NULL AND ready IS NOT NULL);

-- name: expirable
-- Jobs that were not claimed before expires_at, in batches as for promotable.
SELECT seq FROM jobs WHERE expires_at IS NOT NULL AND ready IS NOT NULL AND expires_at <= :now
ORDER BY expires_at LIMIT :limit;

-- name: expire
-- Set these jobs to expired. The reason says if the job waited for its first attempt, or for another one after a retry,
-- a snooze or an interruption.
UPDATE jobs SET state = 'expired', ready = NULL, finished_at = :now, reason = CASE
    WHEN attempt > 0 THEN 'expired before attempt ' || (attempt + 1) || ' could start'
    WHEN EXISTS (SELECT 1 FROM job_events WHERE job_seq = jobs.seq AND started_at IS NOT NULL)
    THEN 'expired before it could start again' ELSE 'not started before expires_at' END
WHERE seq IN (SELECT value FROM json_each(:seqs))
RETURNING id;

-- name: claimable
-- The first ready jobs of a queue that need no lock, in claim order, as they will be once claimed. All of them come as
-- one row of JSON, which is faster to read into Python than hundreds of rows.
SELECT json_group_array(json_array(
  seq, id, task, queue, args, attempt + 1, max_retries, schedule, fire_time, run_at))
FROM (SELECT * FROM jobs WHERE queue = ? AND ready = 1 AND lock IS NULL ORDER BY claim_order LIMIT ?);

-- name: claim
-- Set jobs to running: [seq, ...]. They were read as ready in the same transaction.
UPDATE jobs SET state = 'running', ready = NULL, attempt = attempt + 1, started_at = ?, instance = ?, reason = NULL
WHERE seq IN (SELECT value FROM json_each(?)) AND state = 'queued';

-- name: ready_seqs
-- The seqs of a queue's ready jobs, with or without a lock: used to find a row that cannot be read.
SELECT seq FROM jobs WHERE queue = ? AND ready = 1 AND (lock IS NOT NULL) = ? ORDER BY claim_order LIMIT ?;

-- name: ready_row
-- The columns of one such job that a claim reads.
SELECT seq, id, task, queue, args, attempt + 1, max_retries, schedule, fire_time, run_at FROM jobs WHERE seq = ?;

-- name: fail_bad_row
-- Set a job whose row is bad to failed (launchd/store/bad_rows.py).
UPDATE jobs SET state = 'failed', ready = NULL, finished_at = :now, error = :error, reason = :reason, instance = NULL
WHERE seq = :seq;

-- name: lock_candidates
-- The first ready jobs of a queue that need a lock, except those in :waiting and those whose lock is in :barred.
SELECT seq, id, task, lock, claim_order FROM jobs
WHERE queue = :queue AND ready = 1 AND lock IS NOT NULL
  AND seq NOT IN (SELECT value FROM json_each(:waiting))
  AND lock NOT IN (SELECT value FROM json_each(:barred))
ORDER BY claim_order LIMIT :limit;

-- name: unlocked_orders
-- The claim orders of the first ready jobs that need no lock, to merge with those of jobs that need one.
SELECT claim_order FROM jobs
WHERE queue = :queue AND ready = 1 AND lock IS NULL
ORDER BY claim_order LIMIT :limit;

-- name: claim_locked
-- Set one job to running under the fence of its lock.
UPDATE jobs SET state = 'running', ready = NULL, attempt = attempt + 1, started_at = :now, instance = :instance,
  fence = :fence, reason = NULL
WHERE seq = :seq AND state = 'queued'
RETURNING seq, id, task, queue, args, attempt, max_retries, schedule, fire_time, run_at;

-- name: skip
-- The lock was not free within lock_wait_seconds.
UPDATE jobs SET state = 'skipped', ready = NULL, finished_at = :now, reason = :reason
WHERE seq = :seq AND state = 'queued';

-- name: end
-- The end of a job by its attempt: succeed, fail, cancel. It resets the counts of crashes and interruptions.
UPDATE jobs SET state = ?, finished_at = ?, result = ?, error = ?, reason = coalesce(?, reason),
  progress = coalesce(?, progress), instance = NULL, crashes = 0, interruptions = 0
WHERE seq = ? AND state = 'running' AND attempt = ?;

-- name: succeed_all
-- Successes without result, of one attempt number, in one statement: {seq: finished_at, ...}. It costs a third of one
-- statement for each.
UPDATE jobs SET state = 'succeeded', finished_at = ended.value, instance = NULL, crashes = 0, interruptions = 0
FROM json_each(?) AS ended
WHERE jobs.seq = CAST(ended.key AS INTEGER) AND jobs.state = 'running' AND jobs.attempt = ?;

-- name: not_succeeded
-- Of the same, those whose guard did not hold; run only if succeed_all changed too few rows.
SELECT CAST(ended.key AS INTEGER) AS seq FROM json_each(?) AS ended
LEFT JOIN jobs ON jobs.seq = CAST(ended.key AS INTEGER)
  AND jobs.state = 'succeeded' AND jobs.attempt = ? AND jobs.finished_at = ended.value
WHERE jobs.seq IS NULL;

-- name: put_back
-- Retry or snooze: the job waits again. Both reset the counts of crashes and interruptions; a snooze (:unspent = 1)
-- gives the attempt back.
UPDATE jobs SET state = 'queued', run_at = :run_at, claim_order = :run_at - priority * 60000000, ready = :ready,
  counted_from = :now, error = coalesce(:error, error), reason = :reason, progress = coalesce(:progress, progress), instance = NULL,
  started_at = NULL, crashes = 0, interruptions = 0, attempt = attempt - :unspent
WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NULL;

-- name: interrupt
-- The daemon stops in good order: the attempt is given back, but at most :max_interruptions times in a row.
UPDATE jobs SET state = 'queued', run_at = :run_at, claim_order = :run_at - priority * 60000000, ready = 1,
  counted_from = :run_at, reason = :reason, progress = coalesce(:progress, progress), instance = NULL, started_at = NULL, crashes = 0,
  interruptions = interruptions + 1, attempt = attempt - (interruptions < :max_interruptions)
WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NULL;

-- name: end_cancelled
-- A job that would wait again but has a cancel request ends as cancelled.
UPDATE jobs SET state = 'cancelled', finished_at = :now, error = coalesce(:error, error), instance = NULL,
  progress = coalesce(:progress, progress), crashes = 0, interruptions = 0
WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NOT NULL;

-- name: cancel_queued
UPDATE jobs SET state = 'cancelled', ready = NULL, finished_at = :now, reason = :reason, cancel_requested = :how
WHERE id = :id AND state = 'queued';

-- name: request_cancel
-- The request is stored, so that it outlives a restart. A later cancel does not replace a terminate.
UPDATE jobs SET reason = :reason,
  cancel_requested = CASE WHEN cancel_requested = 'terminate' THEN 'terminate' ELSE :how END
WHERE id = :id AND state = 'running';

-- name: requeue
-- An operator runs an ended job again, from attempt 1.
UPDATE jobs SET state = 'queued', attempt = 0, crashes = 0, interruptions = 0, run_at = :now,
  claim_order = :now - priority * 60000000, ready = 1, expires_at = NULL, started_at = NULL, finished_at = NULL,
  fence = NULL, cancel_requested = NULL, reason = :reason, result = NULL, error = NULL, progress = NULL,
  waits_for = NULL, counted_from = :now
WHERE id = :id AND state NOT IN ('queued', 'running');

-- name: node
-- The random number that names this state directory among hosts: drawn once, then kept.
INSERT INTO counters (name, value) VALUES ('node', abs(random())) ON CONFLICT (name) DO UPDATE SET value = value
RETURNING value;

-- name: rescue_last
-- The last seq of a batch of the rescue: of the first :limit jobs that other instances were running.
SELECT max(seq) AS seq FROM (
  SELECT seq FROM jobs WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND instance <> :instance
  ORDER BY seq LIMIT :limit);

-- name: rescue_seqs
-- The seqs of such a batch.
SELECT seq FROM jobs WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND instance <> :instance
  AND seq <= :last ORDER BY seq;

-- name: rescue_cancelled
-- Jobs of dead instances with a cancel request end as cancelled.
UPDATE jobs SET state = 'cancelled', finished_at = :now, instance = NULL
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last
  AND instance <> :instance AND cancel_requested IS NOT NULL
RETURNING id;

-- name: rescue_stopped
-- Jobs of an instance that was asked to stop but could not write: put back as by `interrupt`.
UPDATE jobs SET state = 'queued', run_at = :now, claim_order = :now - priority * 60000000, ready = 1, instance = NULL,
  counted_from = :now, started_at = NULL, crashes = 0, reason = 'interrupted: the daemon stopped',
  interruptions = interruptions + 1, attempt = attempt - (interruptions < :max_interruptions)
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance = :stopped
RETURNING id;

-- name: quarantine
-- A job that was running in :max_crashes crashes in a row is quarantined until an operator requeues it.
UPDATE jobs SET state = 'quarantined', finished_at = :now, instance = NULL, crashes = crashes + 1,
  reason = 'the daemon died twice in a row while this job ran'
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last
  AND instance <> :instance AND crashes + 1 >= :max_crashes
RETURNING id;

-- name: rescue_failed
-- A crash counts as an attempt; if it was the last one, the job fails.
UPDATE jobs SET state = 'failed', finished_at = :now, instance = NULL, crashes = crashes + 1,
  error = '{"type":"CrashError","message":"the daemon died while this job ran; no attempts are left"}'
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last
  AND instance <> :instance AND attempt > max_retries
RETURNING id;

-- name: rescue
-- The other jobs of dead instances go back into the queue; the attempt stays counted.
UPDATE jobs SET state = 'queued', run_at = :now, claim_order = :now - priority * 60000000, ready = 1, instance = NULL,
  counted_from = :now, started_at = NULL, crashes = crashes + 1, reason = 'rescued: the daemon died while this job ran'
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance <> :instance
RETURNING id;

-- name: job
SELECT * FROM jobs WHERE id = ?;

-- name: list
-- Newest first, by seq: only one writer assigns it, so no row is ever inserted behind a cursor.
SELECT * FROM jobs
WHERE (:state IS NULL OR state = :state) AND (:queue IS NULL OR queue = :queue) AND (:task IS NULL OR task = :task)
  AND (:schedule IS NULL OR schedule = :schedule) AND (:since IS NULL OR created_at >= :since)
  AND (:until IS NULL OR created_at < :until) AND seq < coalesce(:cursor, 9223372036854775807)
ORDER BY seq DESC LIMIT :limit;

-- name: list_rare
-- The same for a state that few jobs have, by the partial index jobs_rare.
SELECT * FROM jobs
WHERE state = :state AND state NOT IN ('queued', 'succeeded')
  AND (:queue IS NULL OR queue = :queue) AND (:task IS NULL OR task = :task)
  AND (:schedule IS NULL OR schedule = :schedule) AND (:since IS NULL OR created_at >= :since)
  AND (:until IS NULL OR created_at < :until) AND seq < coalesce(:cursor, 9223372036854775807)
ORDER BY seq DESC LIMIT :limit;

-- name: running
SELECT seq, attempt, id, task, queue FROM jobs WHERE state = 'running' ORDER BY seq;

-- name: overdue
-- Jobs that are due since before an instant and were not made ready.
SELECT count(*) AS count, min(run_at) AS oldest FROM jobs WHERE ready = 0 AND waits_for IS NULL AND run_at < ?;

-- name: waiting
-- How many ready jobs wait in each queue, and the run_at of the oldest: read from the two indexes of ready jobs alone.
SELECT queue, sum(waiting) AS waiting, min(oldest) AS oldest FROM (
  SELECT queue, count(*) AS waiting, min(claim_order + priority * 60000000) AS oldest
  FROM jobs WHERE ready = 1 AND lock IS NULL GROUP BY queue
  UNION ALL
  SELECT queue, count(*) AS waiting, min(claim_order + priority * 60000000) AS oldest
  FROM jobs WHERE ready = 1 AND lock IS NOT NULL GROUP BY queue)
GROUP BY queue;

-- name: waiting_for_lock
SELECT lock, count(*) AS waiters FROM jobs WHERE ready = 1 AND lock IS NOT NULL GROUP BY lock;

-- name: idempotency_get
SELECT digest, job_id FROM idempotency WHERE key = ? AND created_at >= ?;

-- name: idempotency_put
INSERT INTO idempotency (key, digest, job_id, created_at) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, job_id = excluded.job_id, created_at = excluded.created_at;

-- name: job_with_events
-- A job and its events as of one moment.
SELECT jobs.*, (
    SELECT json_group_array(json_array(number, at, event, detail, attempt, started_at))
    FROM job_events WHERE job_seq = jobs.seq
  ) AS events
FROM jobs WHERE id = ?;

-- name: audit
INSERT INTO audit (at, actor, action, target, detail) VALUES (?, ?, ?, ?, ?);
