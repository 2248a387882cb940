-- The schema of jobs.db: jobs, queues, schedules, locks, alerts, the audit log and the clocks.
--
-- Times are microseconds since the Unix epoch, UTC, unless a comment says otherwise.
-- Development versions used the numbers 1 to 10; their databases are refused, so the first released schema is 11.

-- --- jobs and their history ---

CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  task TEXT NOT NULL,
  queue TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'skipped', 'expired', 'quarantined')),
  args TEXT NOT NULL,
  priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),

  -- Attempts. `crashes` and `interruptions` count the attempts that a crash or a stop of the daemon ended.
  attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  max_retries INTEGER NOT NULL CHECK (max_retries >= 0),
  crashes INTEGER NOT NULL DEFAULT 0,
  interruptions INTEGER NOT NULL DEFAULT 0,

  -- The occurrence that made the job; both are NULL for a job that no schedule made.
  schedule TEXT,
  fire_time INTEGER,

  -- Times. The wait until `run_at` counts from `counted_from`, which is NULL where the caller named an instant.
  created_at INTEGER NOT NULL,
  run_at INTEGER NOT NULL,
  counted_from INTEGER,
  expires_at INTEGER,
  started_at INTEGER,
  finished_at INTEGER,

  -- Claiming. `claim_order` is `run_at` less one minute per step of priority; it does not change while the job waits.
  -- `ready` is 1 in a queued job whose `run_at` has come and 0 in one that still waits. It is NULL in every other
  -- state: the indexes on waiting jobs then need no `state`, and the end of a job does not touch them.
  claim_order INTEGER NOT NULL,
  ready INTEGER CHECK (ready IN (0, 1)),
  waits_for TEXT,  -- id of the job of the same schedule that must end first
  unique_key TEXT,  -- one job per key may be queued or running
  lock TEXT,
  fence INTEGER,
  instance TEXT,  -- the daemon process that runs the job
  cancel_requested TEXT CHECK (cancel_requested IN ('cancel', 'terminate')),

  -- Outcome. Long texts come last: SQLite reads a row from its start.
  reason TEXT,
  result TEXT,
  error TEXT,
  progress TEXT,

  CHECK ((ready IS NOT NULL) = (state = 'queued')),
  CHECK ((finished_at IS NOT NULL) = (state NOT IN ('queued', 'running'))),
  CHECK ((instance IS NOT NULL) = (state = 'running')),
  CHECK (state <> 'running' OR (attempt > 0 AND started_at IS NOT NULL)),
  CHECK ((schedule IS NULL) = (fire_time IS NULL))
) STRICT;

-- The columns after `claim_order` let the statistics count waiting jobs in the index, without reading their rows.
CREATE INDEX jobs_ready ON jobs (queue, claim_order, priority, ready, lock) WHERE ready = 1 AND lock IS NULL;
CREATE INDEX jobs_ready_locked ON jobs (queue, claim_order, priority, ready, lock)
  WHERE ready = 1 AND lock IS NOT NULL;
CREATE INDEX jobs_later ON jobs (run_at) WHERE ready = 0 AND waits_for IS NULL;
CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL AND ready IS NOT NULL;
CREATE INDEX jobs_of_schedule ON jobs (schedule) WHERE schedule IS NOT NULL AND finished_at IS NULL;
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL;
CREATE INDEX jobs_waiting ON jobs (waits_for) WHERE waits_for IS NOT NULL;
-- The states that few jobs are in: running, and every end except success.
CREATE INDEX jobs_rare ON jobs (state, seq) WHERE state NOT IN ('queued', 'succeeded');

-- When a scheduled job ends, the job that waits for it becomes ready. If the ended job was itself waiting for another
-- one, the next job waits for that one instead.
CREATE TRIGGER jobs_release AFTER UPDATE OF finished_at ON jobs
WHEN NEW.schedule IS NOT NULL AND NEW.finished_at IS NOT NULL
BEGIN
  UPDATE jobs SET waits_for = OLD.waits_for,
    ready = CASE WHEN ready IS NOT NULL THEN OLD.waits_for IS NULL AND run_at <= NEW.finished_at END
  WHERE waits_for = NEW.id;
END;

-- Events that the row of a job does not keep: an attempt that returned to the queue, a request to cancel, a requeue.
-- `attempt` and `started_at` are those of the attempt at that time.
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

-- A job that snoozes for weeks keeps its last hundred events.
CREATE TRIGGER job_events_bounded AFTER INSERT ON job_events WHEN NEW.number > 100
BEGIN
  DELETE FROM job_events WHERE job_seq = NEW.job_seq AND number <= NEW.number - 100;
END;

-- `Idempotency-Key` headers, each with the digest of its request and the job that the request made.
CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  digest TEXT NOT NULL,
  job_id TEXT NOT NULL,  -- for a request that made several jobs: all ids, separated by spaces
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- --- queues ---

CREATE TABLE queues (
  name TEXT PRIMARY KEY,
  paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
  note TEXT
) STRICT, WITHOUT ROWID;

-- Claims of queues with a rate limit, kept while they count against the limit.
CREATE TABLE starts (
  queue TEXT NOT NULL,
  at INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 1),
  PRIMARY KEY (queue, at)
) STRICT, WITHOUT ROWID;

-- --- schedules ---

CREATE TABLE schedules (
  name TEXT PRIMARY KEY,
  spec TEXT,  -- the definition as text; a schedule whose definition changes has no missed runs
  cursor INTEGER NOT NULL,  -- every occurrence up to this one has been decided
  paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
  note TEXT
) STRICT, WITHOUT ROWID;

-- The ledger: the outcome of each occurrence of each schedule, decided once.
-- A row with `count` above 1 covers the occurrences from `fire_time` to `until`.
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

-- --- feeds ---

-- Addresses that a calendar or a bot reads without signing in. They are here and not in launches.db, because counting
-- their requests there would make every cached response on launch data invalid.
CREATE TABLE feed_addresses (
  name TEXT PRIMARY KEY,
  token_hash BLOB NOT NULL UNIQUE,  -- SHA-256; the token itself is stored nowhere
  filters TEXT NOT NULL,  -- JSON: the parameters of GET /v1/launches by name
  formats TEXT NOT NULL,  -- JSON: a list of ics, atom, csv, json
  alarm INTEGER,  -- minutes; NULL for a calendar without reminders
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  requests INTEGER NOT NULL DEFAULT 0,
  last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- --- locks ---

CREATE TABLE locks (
  name TEXT PRIMARY KEY,
  token TEXT NOT NULL,
  owner TEXT NOT NULL,
  job_id TEXT,
  fence INTEGER NOT NULL UNIQUE,
  since INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,  -- `lease_until` by the wall clock, for display

  -- By the boot clock, which no correction of the wall clock moves. No renewal passes `ends_at`.
  lease_until INTEGER NOT NULL DEFAULT 0,
  ends_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Single numbers by name: 'fence' is the last fence that was given out, 'alerting' is 1 while alerts are configured.
CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- --- audit ---

CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  detail TEXT
) STRICT;

-- --- alerts ---

-- Each alert is written before it is sent.
CREATE TABLE alerts (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  rule TEXT NOT NULL,
  key TEXT NOT NULL,
  severity TEXT NOT NULL CHECK (severity IN ('info', 'success', 'warning', 'failure')),
  title TEXT NOT NULL,
  body TEXT NOT NULL,

  -- Occurrences that the alert covers, and how many of them came after it was made.
  count INTEGER NOT NULL DEFAULT 1 CHECK (count >= 1),
  repeats INTEGER NOT NULL DEFAULT 0 CHECK (repeats BETWEEN 0 AND count - 1),
  created_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,

  -- Sending. An alert is held until it has a job that sends it (since `admitted_at`) or another alert that sums it up.
  job_id TEXT,
  admitted_at INTEGER,
  sent_at INTEGER,
  summed_up_by TEXT,
  error TEXT,

  CHECK ((job_id IS NULL) = (admitted_at IS NULL)),
  CHECK (sent_at IS NULL OR job_id IS NOT NULL),
  CHECK (summed_up_by IS NULL OR job_id IS NULL)
) STRICT;

CREATE INDEX alerts_of_key ON alerts (key, seq);
CREATE INDEX alerts_admitted ON alerts (admitted_at) WHERE admitted_at IS NOT NULL;
CREATE INDEX alerts_held ON alerts (seq) WHERE job_id IS NULL AND summed_up_by IS NULL;

-- The targets that have received an alert: after a restart, only the others are sent to.
CREATE TABLE alert_deliveries (
  alert_id TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (alert_id, target)
) STRICT, WITHOUT ROWID;

-- Problems that are still open. `clear_since` is set once a check finds no problem.
CREATE TABLE alert_troubles (
  key TEXT PRIMARY KEY,
  rule TEXT NOT NULL,
  severity TEXT NOT NULL,
  title TEXT NOT NULL,
  since INTEGER NOT NULL,
  clear_since INTEGER
) STRICT, WITHOUT ROWID;

-- Jobs that failed or were quarantined and that no alert counts yet: one row per task and state, with the newest job.
CREATE TABLE alert_inbox (
  task TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL,
  job_id TEXT NOT NULL,
  PRIMARY KEY (task, state)
) STRICT, WITHOUT ROWID;

-- Fills the inbox in the transaction that ends the job. A failed `send_alert` makes no alert.
CREATE TRIGGER jobs_ended_badly AFTER UPDATE OF finished_at ON jobs
WHEN NEW.state IN ('failed', 'quarantined') AND NEW.task <> 'send_alert'
  AND (SELECT value FROM counters WHERE name = 'alerting') = 1
BEGIN
  INSERT INTO alert_inbox (task, state, count, job_id) VALUES (NEW.task, NEW.state, 1, NEW.id)
  ON CONFLICT (task, state) DO UPDATE SET count = count + 1, job_id = excluded.job_id;
END;

-- --- clocks ---

-- One row: the last reading of the clocks. Compared with the next reading, it shows whether the wall clock was set.
CREATE TABLE clock (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  wall INTEGER NOT NULL,
  boot INTEGER NOT NULL,
  boot_id TEXT NOT NULL,

  -- A correction in progress: by how much, made when, and the jobs it has not reached: shift_after < seq <= shift_last.
  shift INTEGER,
  shift_at INTEGER,
  shift_after INTEGER,
  shift_last INTEGER
) STRICT;
