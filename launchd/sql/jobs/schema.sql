-- The present form of jobs.db. Instants are microseconds since the Unix epoch, UTC.
-- Changed only together with a new file in migrations/: a test proves that their sum equals this script.

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
  -- unique_key: one job of a key may be queued or running; waits_for: the job that must end before this one is ready;
  -- counted_from: from when `run_at` counts, NULL where somebody named the instant
  instance TEXT, unique_key TEXT, waits_for TEXT, counted_from INTEGER,
  CHECK ((ready IS NOT NULL) = (state = 'queued')),
  CHECK ((finished_at IS NOT NULL) = (state NOT IN ('queued', 'running'))),
  CHECK ((instance IS NOT NULL) = (state = 'running')),
  CHECK (state <> 'running' OR (attempt > 0 AND started_at IS NOT NULL)),
  CHECK ((schedule IS NULL) = (fire_time IS NULL))
) STRICT;

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

-- What happened to a job off the plain path: an attempt that came back, a wish to end it, a requeue. Creation, the
-- present attempt and the end stand in the job's own row. `attempt` and `started_at` are those of the attempt it befell.
CREATE TABLE job_events (
  job_seq INTEGER NOT NULL REFERENCES jobs (seq) ON DELETE CASCADE,
  number INTEGER NOT NULL CHECK (number >= 1),
  at INTEGER NOT NULL,
  event TEXT NOT NULL,
  detail TEXT,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  PRIMARY KEY (job_seq, number)
) STRICT, WITHOUT ROWID;

-- A job that snoozes for weeks keeps its last hundred.
CREATE TRIGGER job_events_bounded AFTER INSERT ON job_events WHEN NEW.number > 100
BEGIN
  DELETE FROM job_events WHERE job_seq = NEW.job_seq AND number <= NEW.number - 100;
END;

CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  -- the job that the key has made; of many the ids of all, with spaces between
  job_id TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE queues (
  name TEXT PRIMARY KEY,
  paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
  note TEXT
) STRICT, WITHOUT ROWID;

-- When jobs of a queue with a rate were claimed, as long as that counts.
CREATE TABLE starts (
  queue TEXT NOT NULL,
  at INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 1),
  PRIMARY KEY (queue, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedules (
  name TEXT PRIMARY KEY,
  cursor INTEGER NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
  -- spec: when and what, as text; one that changes owes nothing for the past
  note TEXT, spec TEXT
) STRICT, WITHOUT ROWID;

-- The ledger: what became of each occurrence of each schedule, once and for ever.
CREATE TABLE fires (
  schedule TEXT NOT NULL,
  fire_time INTEGER NOT NULL,
  outcome TEXT NOT NULL CHECK (
    outcome IN ('fired', 'coalesced', 'missed', 'overlap_skipped', 'paused', 'backfilled')),
  reason TEXT,
  job_id TEXT,
  count INTEGER NOT NULL DEFAULT 1 CHECK (count >= 1),
  until INTEGER,
  PRIMARY KEY (schedule, fire_time),
  CHECK ((job_id IS NOT NULL) = (outcome IN ('fired', 'backfilled'))),
  CHECK (count = 1 OR until > fire_time)
) STRICT, WITHOUT ROWID;

CREATE TABLE locks (
  name TEXT PRIMARY KEY,
  token TEXT NOT NULL,
  owner TEXT NOT NULL,
  job_id TEXT,
  fence INTEGER NOT NULL UNIQUE,
  since INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  -- ends_at (the ceiling on the whole hold) and lease_until are by the boot clock: no correction moves it
  ends_at INTEGER NOT NULL, lease_until INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT
) STRICT;

CREATE TABLE alerts (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  rule TEXT NOT NULL,
  key TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('info', 'success', 'warning', 'failure')),
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  -- count: the occurrences it stands for, the last of them at last_at; repeats: those of them that came after it
  count INTEGER NOT NULL DEFAULT 1 CHECK (count >= 1),
  repeats INTEGER NOT NULL DEFAULT 0 CHECK (repeats BETWEEN 0 AND count - 1),
  created_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  -- the job that sends it, since when there is one; held until then
  job_id TEXT,
  admitted_at INTEGER,
  sent_at INTEGER,
  -- the alert that told of it, in place of a job of its own
  summed_up_by TEXT,
  error TEXT,
  CHECK ((job_id IS NULL) = (admitted_at IS NULL)),
  CHECK (sent_at IS NULL OR job_id IS NOT NULL),
  CHECK (summed_up_by IS NULL OR job_id IS NULL)
) STRICT;

CREATE INDEX alerts_of_key ON alerts (key, seq);
CREATE INDEX alerts_admitted ON alerts (admitted_at) WHERE admitted_at IS NOT NULL;
CREATE INDEX alerts_held ON alerts (seq) WHERE job_id IS NULL AND summed_up_by IS NULL;

-- Where an alert has arrived: what is left to do after a restart.
CREATE TABLE alert_deliveries (
  alert_id TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (alert_id, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_troubles (
  key TEXT PRIMARY KEY,
  rule TEXT NOT NULL,
  severity TEXT NOT NULL,
  title TEXT NOT NULL,
  since INTEGER NOT NULL,
  clear_since INTEGER
) STRICT, WITHOUT ROWID;

-- Jobs that ended badly and no alert knows of yet: noted in the transaction that ends them, one row a task and state.
CREATE TABLE alert_inbox (
  task TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  PRIMARY KEY (task, state)
) STRICT, WITHOUT ROWID;

-- The counter `alerting` is 1 while somebody empties the inbox. What sends alerts does not make any.
CREATE TRIGGER jobs_ended_badly AFTER UPDATE OF finished_at ON jobs
WHEN NEW.state IN ('failed', 'quarantined') AND NEW.task <> 'send_alert'
  AND (SELECT value FROM counters WHERE name = 'alerting') = 1
BEGIN
  INSERT INTO alert_inbox (task, state, count, job_id) VALUES (NEW.task, NEW.state, 1, NEW.id)
  ON CONFLICT (task, state) DO UPDATE SET count = count + 1, job_id = excluded.job_id;
END;

-- The clocks as they last were: at the next look they tell whether the wall clock was set.
CREATE TABLE clock (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  wall INTEGER NOT NULL,
  boot INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  -- a correction that has not reached every waiting job: by how much, when, and the rows (after, last] that are left
  shift INTEGER, shift_at INTEGER, shift_after INTEGER, shift_last INTEGER
) STRICT;
