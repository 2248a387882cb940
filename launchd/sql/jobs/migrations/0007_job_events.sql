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
