-- Statements on jobs. Each UPDATE repeats the guard of the transition table (launchd/job.py).

-- name: insert
-- A new job, ready at once when its time has come.
INSERT INTO jobs (id, task, queue, state, args, priority, max_retries, schedule, fire_time, created_at, run_at,
  expires_at, claim_order, ready, lock, unique_key, waits_for, counted_from)
VALUES (?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: twin
-- The job that stands in the way of another of its unique key.
SELECT id FROM jobs WHERE unique_key = ? AND unique_key IS NOT NULL AND finished_at IS NULL;

-- name: promotable
-- Jobs whose time has come, in batches, so that a million of them never hold the writer for long.
SELECT seq FROM jobs WHERE ready = 0 AND waits_for IS NULL AND run_at <= :now ORDER BY run_at LIMIT :limit;

-- name: promote
-- They may be claimed.
UPDATE jobs SET ready = 1 WHERE seq IN (SELECT value FROM json_each(:seqs)) RETURNING id;

-- name: next_later
-- When the next job of the future is due: how long the promoter may sleep. One that waits for another may be let go
-- before its time, so its time counts too.
SELECT min(at) FROM (
  SELECT min(run_at) AS at FROM jobs WHERE ready = 0 AND waits_for IS NULL
  UNION ALL SELECT min(run_at) FROM jobs WHERE waits_for IS NOT NULL AND ready = 0 AND run_at > :now
  UNION ALL SELECT min(expires_at) FROM jobs WHERE expires_at IS NOT NULL AND ready IS NOT NULL);

-- name: expirable
-- Jobs that were not claimed in time, in batches as for promotable.
SELECT seq FROM jobs WHERE expires_at IS NOT NULL AND ready IS NOT NULL AND expires_at <= :now
ORDER BY expires_at LIMIT :limit;

-- name: expire
-- They were to start for the first time, or again after a retry, a snooze or an interruption.
UPDATE jobs SET state = 'expired', ready = NULL, finished_at = :now, reason = CASE
    WHEN attempt > 0 THEN 'expired before attempt ' || (attempt + 1) || ' could start'
    WHEN EXISTS (SELECT 1 FROM job_events WHERE job_seq = jobs.seq AND started_at IS NOT NULL)
    THEN 'expired before it could start again' ELSE 'not started before expires_at' END
WHERE seq IN (SELECT value FROM json_each(:seqs))
RETURNING id;

-- name: claimable
-- The first ready jobs of a queue, in order, as they will be once claimed: one row of JSON crosses into Python, not
-- hundreds. Jobs under a lock go another way: they need the lock first.
SELECT json_group_array(json_array(
  seq, id, task, queue, args, attempt + 1, max_retries, schedule, fire_time, run_at))
FROM (SELECT * FROM jobs WHERE queue = ? AND ready = 1 AND lock IS NULL ORDER BY claim_order LIMIT ?);

-- name: claim
-- Take jobs: [seq, ...]. They are ready, so nobody else has.
UPDATE jobs SET state = 'running', ready = NULL, attempt = attempt + 1, started_at = ?, instance = ?, reason = NULL
WHERE seq IN (SELECT value FROM json_each(?)) AND state = 'queued';

-- name: ready_seqs
-- The numbers of a queue's ready jobs, those that need a lock or those that need none: for when a row cannot be read.
SELECT seq FROM jobs WHERE queue = ? AND ready = 1 AND (lock IS NOT NULL) = ? ORDER BY claim_order LIMIT ?;

-- name: ready_row
-- One of them, all that a claim reads.
SELECT seq, id, task, queue, args, attempt + 1, max_retries, schedule, fire_time, run_at FROM jobs WHERE seq = ?;

-- name: fail_bad_row
-- A job whose row no other statement can work on fails, alone.
UPDATE jobs SET state = 'failed', ready = NULL, finished_at = :now, error = :error, reason = :reason, instance = NULL
WHERE seq = :seq;

-- name: lock_candidates
-- The first ready jobs of a queue that need a lock, without those known to wait for theirs and without some locks.
SELECT seq, id, task, lock, claim_order FROM jobs
WHERE queue = :queue AND ready = 1 AND lock IS NOT NULL
  AND seq NOT IN (SELECT value FROM json_each(:waiting))
  AND lock NOT IN (SELECT value FROM json_each(:barred))
ORDER BY claim_order LIMIT :limit;

-- name: unlocked_orders
-- The places in line of the first ready jobs that need no lock: those that need one take theirs among them.
SELECT claim_order FROM jobs
WHERE queue = :queue AND ready = 1 AND lock IS NULL
ORDER BY claim_order LIMIT :limit;

-- name: claim_locked
-- Take one job whose lock is held for it.
UPDATE jobs SET state = 'running', ready = NULL, attempt = attempt + 1, started_at = :now, instance = :instance,
  fence = :fence, reason = NULL
WHERE seq = :seq AND state = 'queued'
RETURNING seq, id, task, queue, args, attempt, max_retries, schedule, fire_time, run_at;

-- name: skip
-- The lock stayed taken for as long as the job was ready to wait.
UPDATE jobs SET state = 'skipped', ready = NULL, finished_at = :now, reason = :reason
WHERE seq = :seq AND state = 'queued';

-- name: end
-- An attempt ended for good: succeed, fail, cancel. Crashes and interruptions in a row end with it.
UPDATE jobs SET state = ?, finished_at = ?, result = ?, error = ?, reason = coalesce(?, reason),
  progress = coalesce(?, progress), instance = NULL, crashes = 0, interruptions = 0
WHERE seq = ? AND state = 'running' AND attempt = ?;

-- name: succeed_all
-- Plain successes of one attempt number in one statement, a third of the cost of one by one: {seq: finished_at, ...}.
UPDATE jobs SET state = 'succeeded', finished_at = ended.value, instance = NULL, crashes = 0, interruptions = 0
FROM json_each(?) AS ended
WHERE jobs.seq = CAST(ended.key AS INTEGER) AND jobs.state = 'running' AND jobs.attempt = ?;

-- name: not_succeeded
-- Of the same, those that no longer ran in that attempt: found out only when there are any.
SELECT CAST(ended.key AS INTEGER) AS seq FROM json_each(?) AS ended
LEFT JOIN jobs ON jobs.seq = CAST(ended.key AS INTEGER)
  AND jobs.state = 'succeeded' AND jobs.attempt = ? AND jobs.finished_at = ended.value
WHERE jobs.seq IS NULL;

-- name: put_back
-- An attempt ended and the job waits again: retry and snooze end a row of interruptions, a retry spends the attempt.
UPDATE jobs SET state = 'queued', run_at = :run_at, claim_order = :run_at - priority * 60000000, ready = :ready,
  counted_from = :now, error = coalesce(:error, error), reason = :reason, progress = coalesce(:progress, progress), instance = NULL,
  started_at = NULL, crashes = 0, interruptions = 0, attempt = attempt - :unspent
WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NULL;

-- name: interrupt
-- The daemon stops in good order: no attempt is spent, but for a job that outlasts deploy after deploy.
UPDATE jobs SET state = 'queued', run_at = :run_at, claim_order = :run_at - priority * 60000000, ready = 1,
  counted_from = :run_at, reason = :reason, progress = coalesce(:progress, progress), instance = NULL, started_at = NULL, crashes = 0,
  interruptions = interruptions + 1, attempt = attempt - (interruptions < :max_interruptions)
WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NULL;

-- name: end_cancelled
-- A job that would wait again, but whose end was wanted, has ended.
UPDATE jobs SET state = 'cancelled', finished_at = :now, error = coalesce(:error, error), instance = NULL,
  progress = coalesce(:progress, progress), crashes = 0, interruptions = 0
WHERE seq = :seq AND state = 'running' AND attempt = :attempt AND cancel_requested IS NOT NULL;

-- name: cancel_queued
UPDATE jobs SET state = 'cancelled', ready = NULL, finished_at = :now, reason = :reason, cancel_requested = :how
WHERE id = :id AND state = 'queued';

-- name: request_cancel
-- The wish outlives a restart; terminate is stronger than cancel and is not weakened by a later cancel.
UPDATE jobs SET reason = :reason,
  cancel_requested = CASE WHEN cancel_requested = 'terminate' THEN 'terminate' ELSE :how END
WHERE id = :id AND state = 'running';

-- name: requeue
-- An operator wants an ended job again: it starts over.
UPDATE jobs SET state = 'queued', attempt = 0, crashes = 0, interruptions = 0, run_at = :now,
  claim_order = :now - priority * 60000000, ready = 1, expires_at = NULL, started_at = NULL, finished_at = NULL,
  fence = NULL, cancel_requested = NULL, reason = :reason, result = NULL, error = NULL, progress = NULL,
  waits_for = NULL, counted_from = :now
WHERE id = :id AND state NOT IN ('queued', 'running');

-- name: node
-- The name of this state directory among hosts: drawn once.
INSERT INTO counters (name, value) VALUES ('node', abs(random())) ON CONFLICT (name) DO UPDATE SET value = value
RETURNING value;

-- name: rescue_last
-- How far a batch of the rescue goes: the number of the last of so many jobs that other instances run, by the rows.
SELECT max(seq) AS seq FROM (
  SELECT seq FROM jobs WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND instance <> :instance
  ORDER BY seq LIMIT :limit);

-- name: rescue_seqs
-- The rows of such a batch.
SELECT seq FROM jobs WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND instance <> :instance
  AND seq <= :last ORDER BY seq;

-- name: rescue_cancelled
-- What a dead instance ran and an operator had asked to end, is ended.
UPDATE jobs SET state = 'cancelled', finished_at = :now, instance = NULL
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last
  AND instance <> :instance AND cancel_requested IS NOT NULL
RETURNING id;

-- name: rescue_stopped
-- What an instance ran that was asked to stop and could not put it back, since nothing could be written: as `interrupt`.
UPDATE jobs SET state = 'queued', run_at = :now, claim_order = :now - priority * 60000000, ready = 1, instance = NULL,
  counted_from = :now, started_at = NULL, crashes = 0, reason = 'interrupted: the daemon stopped',
  interruptions = interruptions + 1, attempt = attempt - (interruptions < :max_interruptions)
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance = :stopped
RETURNING id;

-- name: quarantine
-- A job that ran in two crashes in a row is set aside until an operator requeues it.
UPDATE jobs SET state = 'quarantined', finished_at = :now, instance = NULL, crashes = crashes + 1,
  reason = 'the daemon died twice in a row while this job ran'
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last
  AND instance <> :instance AND crashes + 1 >= :max_crashes
RETURNING id;

-- name: rescue_failed
-- A crash counts as an attempt; where it was the last, the job has failed.
UPDATE jobs SET state = 'failed', finished_at = :now, instance = NULL, crashes = crashes + 1,
  error = '{"type":"CrashError","message":"the daemon died while this job ran; no attempts are left"}'
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last
  AND instance <> :instance AND attempt > max_retries
RETURNING id;

-- name: rescue
-- The rest of what a dead instance ran goes back to the queue; the attempt stays counted.
UPDATE jobs SET state = 'queued', run_at = :now, claim_order = :now - priority * 60000000, ready = 1, instance = NULL,
  counted_from = :now, started_at = NULL, crashes = crashes + 1, reason = 'rescued: the daemon died while this job ran'
WHERE state = 'running' AND state NOT IN ('queued', 'succeeded') AND seq <= :last AND instance <> :instance
RETURNING id;

-- name: job
SELECT * FROM jobs WHERE id = ?;

-- name: list
-- Newest first, by the number of the row: one writer gives it, so nothing ever comes in behind a cursor.
SELECT * FROM jobs
WHERE (:state IS NULL OR state = :state) AND (:queue IS NULL OR queue = :queue) AND (:task IS NULL OR task = :task)
  AND (:schedule IS NULL OR schedule = :schedule) AND (:since IS NULL OR created_at >= :since)
  AND (:until IS NULL OR created_at < :until) AND seq < coalesce(:cursor, 9223372036854775807)
ORDER BY seq DESC LIMIT :limit;

-- name: list_rare
-- The same for one of the states that few jobs are in, by the index of those.
SELECT * FROM jobs
WHERE state = :state AND state NOT IN ('queued', 'succeeded')
  AND (:queue IS NULL OR queue = :queue) AND (:task IS NULL OR task = :task)
  AND (:schedule IS NULL OR schedule = :schedule) AND (:since IS NULL OR created_at >= :since)
  AND (:until IS NULL OR created_at < :until) AND seq < coalesce(:cursor, 9223372036854775807)
ORDER BY seq DESC LIMIT :limit;

-- name: running
SELECT seq, attempt, id, task, queue FROM jobs WHERE state = 'running' ORDER BY seq;

-- name: overdue
-- Jobs whose time has come long ago and that nobody has made ready.
SELECT count(*) AS count, min(run_at) AS oldest FROM jobs WHERE ready = 0 AND waits_for IS NULL AND run_at < ?;

-- name: waiting
-- How many ready jobs wait in each queue, and since when the oldest does: from the two indexes of them alone.
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
