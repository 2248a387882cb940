-- Unique jobs, jobs that wait for another one, definitions of schedules, leases by the boot clock.

ALTER TABLE jobs ADD COLUMN unique_key TEXT;
ALTER TABLE jobs ADD COLUMN waits_for TEXT;
ALTER TABLE schedules ADD COLUMN spec TEXT;
ALTER TABLE locks ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;

DROP INDEX jobs_later;
CREATE INDEX jobs_later ON jobs (run_at) WHERE state = 'queued' AND ready = 0 AND waits_for IS NULL;
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE unique_key IS NOT NULL AND state IN ('queued', 'running');
CREATE INDEX jobs_waiting ON jobs (waits_for) WHERE waits_for IS NOT NULL;

CREATE TRIGGER jobs_release AFTER UPDATE OF state ON jobs
WHEN NEW.schedule IS NOT NULL AND NEW.finished_at IS NOT NULL
BEGIN
  UPDATE jobs SET waits_for = NULL, ready = run_at <= NEW.finished_at WHERE waits_for = NEW.id;
END;
