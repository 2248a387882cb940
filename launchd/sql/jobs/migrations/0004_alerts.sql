-- Alerts: written before they are sent, with what was delivered where, and the troubles that are open.

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
CREATE TRIGGER jobs_ended_badly AFTER UPDATE OF state ON jobs
WHEN NEW.state IN ('failed', 'quarantined') AND NEW.task <> 'send_alert'
  AND (SELECT value FROM counters WHERE name = 'alerting') = 1
BEGIN
  INSERT INTO alert_inbox (task, state, count, job_id) VALUES (NEW.task, NEW.state, 1, NEW.id)
  ON CONFLICT (task, state) DO UPDATE SET count = count + 1, job_id = excluded.job_id;
END;
