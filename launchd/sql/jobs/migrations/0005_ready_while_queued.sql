-- `ready` is NULL once a job no longer waits, so that few indexes hang on `state`: each claim and each end touches fewer.
-- SQLite cannot change a column's constraints in place: the table is made anew.

ALTER TABLE jobs RENAME TO jobs_before;

CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  task TEXT NOT NULL,
  queue TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'skipped', 'expired', 'quarantined')),
  args TEXT NOT NULL,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
  attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  max_retries INTEGER NOT NULL CHECK (max_retries >= 0),
  crashes INTEGER NOT NULL DEFAULT 0,
  interruptions INTEGER NOT NULL DEFAULT 0,
  schedule TEXT,
  fire_time INTEGER,
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  expires_at INTEGER,
  started_at INTEGER,
  finished_at INTEGER,
  -- run_at less a minute for each step of priority: constant while the job waits
  claim_order INTEGER NOT NULL,
  -- while queued: 1 once run_at has come (jobs of the future never stand in the way of a claim), else 0; then NULL, so
  -- that the indexes of what waits say nothing of `state`, and the end of a job need not look at them
  ready INTEGER CHECK (ready IN (0, 1)),
  lock TEXT,
  fence INTEGER,
  cancel_requested TEXT CHECK (cancel_requested IN ('cancel', 'terminate')),
  reason TEXT,
  result TEXT,
  error TEXT,
  progress TEXT,
  -- unique_key: one job of a key may be queued or running; waits_for: the job that must end before this one is ready
  instance TEXT, unique_key TEXT, waits_for TEXT,
  CHECK ((ready IS NOT NULL) = (state = 'queued')),
  CHECK ((finished_at IS NOT NULL) = (state NOT IN ('queued', 'running'))),
  CHECK ((instance IS NOT NULL) = (state = 'running')),
  CHECK (state <> 'running' OR (attempt > 0 AND started_at IS NOT NULL)),
  CHECK ((schedule IS NULL) = (fire_time IS NULL))
) STRICT;

INSERT INTO jobs (
  seq, id, task, queue, state, args, priority, attempt, max_retries, crashes, interruptions, schedule, fire_time,
  created_at, run_at, expires_at, started_at, finished_at, claim_order, ready, lock, fence, cancel_requested, reason,
  result, error, progress, instance, unique_key, waits_for)
SELECT
  seq, id, task, queue, state, args, priority, attempt, max_retries, crashes, interruptions, schedule, fire_time,
  created_at, run_at, expires_at, started_at, finished_at, claim_order, CASE WHEN state = 'queued' THEN ready END,
  lock, fence, cancel_requested, reason, result, error, progress, instance, unique_key, waits_for
FROM jobs_before;

DROP TABLE jobs_before;

-- what follows claim_order is there for those who count what waits: they need not look at the rows
CREATE INDEX jobs_ready ON jobs (queue, claim_order, priority, ready, lock) WHERE ready = 1 AND lock IS NULL;
CREATE INDEX jobs_ready_locked ON jobs (queue, claim_order, priority, ready, lock)
  WHERE ready = 1 AND lock IS NOT NULL;
CREATE INDEX jobs_later ON jobs (run_at) WHERE ready = 0 AND waits_for IS NULL;
CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL AND ready IS NOT NULL;
CREATE INDEX jobs_of_schedule ON jobs (schedule) WHERE schedule IS NOT NULL AND finished_at IS NULL;
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL;
CREATE INDEX jobs_waiting ON jobs (waits_for) WHERE waits_for IS NOT NULL;
-- the states that few jobs are in: running, and every end but success
CREATE INDEX jobs_rare ON jobs (state, seq) WHERE state NOT IN ('queued', 'succeeded');

-- Whatever ends a scheduled job lets the one go that waits for it; if it had waited itself, that one waits in its place.
CREATE TRIGGER jobs_release AFTER UPDATE OF finished_at ON jobs
WHEN NEW.schedule IS NOT NULL AND NEW.finished_at IS NOT NULL
BEGIN
  UPDATE jobs SET waits_for = OLD.waits_for,
    ready = CASE WHEN ready IS NOT NULL THEN OLD.waits_for IS NULL AND run_at <= NEW.finished_at END
  WHERE waits_for = NEW.id;
END;

-- The counter `alerting` is 1 while somebody empties the inbox. What sends alerts does not make any.
CREATE TRIGGER jobs_ended_badly AFTER UPDATE OF finished_at ON jobs
WHEN NEW.state IN ('failed', 'quarantined') AND NEW.task <> 'send_alert'
  AND (SELECT value FROM counters WHERE name = 'alerting') = 1
BEGIN
  INSERT INTO alert_inbox (task, state, count, job_id) VALUES (NEW.task, NEW.state, 1, NEW.id)
  ON CONFLICT (task, state) DO UPDATE SET count = count + 1, job_id = excluded.job_id;
END;
