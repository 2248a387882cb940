-- A buffered job that ends before its turn leaves its place in the chain to the one behind it.

DROP TRIGGER jobs_release;
CREATE TRIGGER jobs_release AFTER UPDATE OF state ON jobs
WHEN NEW.schedule IS NOT NULL AND NEW.finished_at IS NOT NULL
BEGIN
  UPDATE jobs SET waits_for = OLD.waits_for, ready = OLD.waits_for IS NULL AND run_at <= NEW.finished_at
  WHERE waits_for = NEW.id;
END;
