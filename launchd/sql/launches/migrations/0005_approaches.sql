-- Which launches were told to be so many hours away: told once, whatever becomes of the process.
CREATE TABLE approaches (
  launch_id TEXT NOT NULL,
  hours INTEGER NOT NULL,
  told_at INTEGER NOT NULL,
  PRIMARY KEY (launch_id, hours)
) STRICT, WITHOUT ROWID;
