-- The schema of launches.db: launches, the sightings they were made of, their history, and the state of the sources.
--
-- Times are microseconds since the Unix epoch, UTC. Columns of JSON are BLOBs.
-- Development versions used the numbers 1 to 7, and 1 to 10 in jobs.db; their databases are refused, so the first
-- released schema is 11 in both.

-- --- launches ---

CREATE TABLE launches (
  id TEXT PRIMARY KEY,

  -- Fields of `body` that lists filter and sort by.
  net_earliest INTEGER,
  net_latest INTEGER,
  status TEXT,
  provider TEXT,
  vehicle TEXT,
  vehicle_family TEXT,  -- NULL for a vehicle that is not in the registry of names
  pad TEXT,
  site TEXT,
  name TEXT NOT NULL,

  -- 1 if no source has a record of it any longer: all of its sightings are retired.
  gone INTEGER NOT NULL DEFAULT 0,

  updated_at INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 0,  -- grows with each visible change
  body BLOB NOT NULL,
  reconciled BLOB  -- the record without overrides; NULL where there are none
) STRICT, WITHOUT ROWID;

CREATE INDEX launches_by_net ON launches (coalesce(net_earliest, 9223372036854775807), id);
-- Launches that have not flown, a small part of the table: in the order of a list (the NET that ends first, the shortest
-- of those that end together), and by the end of their NET.
CREATE INDEX launches_to_come ON launches (
  coalesce(net_latest, 9223372036854775807), -coalesce(net_earliest, 0), name, id)
WHERE gone = 0 AND coalesce(status, '') NOT IN ('success', 'partial_failure', 'failure', 'cancelled');
CREATE INDEX launches_to_come_by_end ON launches (net_latest)
WHERE gone = 0 AND coalesce(status, '') NOT IN ('success', 'partial_failure', 'failure', 'cancelled');

-- The last record of a launch in a source. `origin_id` is the launch that the record was first matched to; the record
-- returns to that launch when merged launches are split. `retired_at` is set when the complete list of the source no
-- longer has the record: it is kept and no longer matched. `former_names` is a list of the names that the record had.
CREATE TABLE sightings (
  source TEXT NOT NULL,
  source_id TEXT NOT NULL,
  launch_id TEXT NOT NULL,
  origin_id TEXT,
  first_seen INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,
  retired_at INTEGER,
  body BLOB NOT NULL,
  former_names BLOB,
  PRIMARY KEY (source, source_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sightings_by_launch ON sightings (launch_id);

-- The history of each field. `origin_id` is the launch that the change was written for, as in `sightings`.
CREATE TABLE changes (
  id INTEGER PRIMARY KEY,
  launch_id TEXT NOT NULL,
  origin_id TEXT,
  field TEXT NOT NULL,
  old TEXT,
  new TEXT,
  source TEXT NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;

CREATE INDEX changes_by_launch ON changes (launch_id, id);
CREATE INDEX changes_by_time ON changes (seen_at, launch_id);
CREATE INDEX changes_by_origin ON changes (origin_id);

-- The slip ledger: a row for each change of the NET of a launch, also a change to or from no NET. `origin_id` is the
-- launch that the row was written for, as in `changes`. `late` is 1 where the source had not been read for a time before;
-- `last_look` is when it was read last. `size` is microseconds, negative for a move to an earlier time.
CREATE TABLE net_moves (
  id INTEGER PRIMARY KEY,
  launch_id TEXT NOT NULL,
  origin_id TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  last_look INTEGER,
  late INTEGER NOT NULL,
  source TEXT NOT NULL,
  kind TEXT NOT NULL,
  counts INTEGER NOT NULL,
  size INTEGER NOT NULL,
  old_earliest INTEGER,
  old_latest INTEGER,
  old_precision TEXT,
  new_earliest INTEGER,
  new_latest INTEGER,
  new_precision TEXT
) STRICT;

CREATE INDEX net_moves_by_launch ON net_moves (launch_id, id);
CREATE INDEX net_moves_by_origin ON net_moves (origin_id);

-- The NETs that each record of a source stated, and, as the source "launchd", those that each launch was served with.
-- A row holds until the next of its record. `away_since` is set where the source had not been read for a time before the
-- row: from then on until `seen_at` it is not known what the source stated.
CREATE TABLE stated_nets (
  source TEXT NOT NULL,
  source_id TEXT NOT NULL,
  seen_at INTEGER NOT NULL,
  away_since INTEGER,
  earliest INTEGER,
  latest INTEGER,
  precision TEXT,
  PRIMARY KEY (source, source_id, seen_at)
) STRICT, WITHOUT ROWID;

-- Contradictions that are open: between sources, or between two launches (`other_id`).
CREATE TABLE conflicts (
  launch_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  other_id TEXT NOT NULL DEFAULT '',
  evidence BLOB NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (launch_id, kind, other_id)
) STRICT, WITHOUT ROWID;

-- Ids of launches that were merged into another one.
CREATE TABLE redirects (
  id TEXT PRIMARY KEY,
  to_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Values that an operator has set; they replace those of the sources. `origin_id` is the launch that the override was
-- set for, where that launch was merged into this one.
CREATE TABLE overrides (
  launch_id TEXT NOT NULL,
  field TEXT NOT NULL,
  value BLOB NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  at INTEGER NOT NULL,
  origin_id TEXT,
  PRIMARY KEY (launch_id, field)
) STRICT, WITHOUT ROWID;

-- Events `launch.approaching` that were sent, so that each is sent once.
CREATE TABLE approaches (
  launch_id TEXT NOT NULL,
  hours INTEGER NOT NULL,
  told_at INTEGER NOT NULL,
  PRIMARY KEY (launch_id, hours)
) STRICT, WITHOUT ROWID;

-- --- search ---

-- The words of each launch (launchd/launches/search.py). FTS5 indexes this table and keeps no copy of it.
CREATE TABLE searchable (
  id INTEGER PRIMARY KEY,
  launch_id TEXT NOT NULL UNIQUE,
  words TEXT NOT NULL
) STRICT;

CREATE VIRTUAL TABLE search USING fts5 (
  words, content = 'searchable', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3');

CREATE TRIGGER searchable_added AFTER INSERT ON searchable BEGIN
  INSERT INTO search (rowid, words) VALUES (new.id, new.words);
END;
CREATE TRIGGER searchable_removed AFTER DELETE ON searchable BEGIN
  INSERT INTO search (search, rowid, words) VALUES ('delete', old.id, old.words);
END;
CREATE TRIGGER searchable_changed AFTER UPDATE ON searchable BEGIN
  INSERT INTO search (search, rowid, words) VALUES ('delete', old.id, old.words);
  INSERT INTO search (rowid, words) VALUES (new.id, new.words);
END;

CREATE TRIGGER launches_removed AFTER DELETE ON launches BEGIN
  DELETE FROM searchable WHERE launch_id = old.id;
END;

-- --- sources ---

-- The last scrape of each source, its failures in a row, and totals. Columns `last_...` are of the last scrape only.
CREATE TABLE sources (
  name TEXT PRIMARY KEY,
  last_attempt INTEGER NOT NULL,
  last_success INTEGER,
  last_error TEXT,
  records INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0,

  failures INTEGER NOT NULL DEFAULT 0,
  retry_at INTEGER,  -- the source is not asked before this time

  requests INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  seconds REAL NOT NULL DEFAULT 0,
  last_requests INTEGER NOT NULL DEFAULT 0,
  last_bytes INTEGER NOT NULL DEFAULT 0,
  last_seconds REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- The validators of the last answer for each URL, so that an unchanged page is neither sent nor parsed again.
-- `revision` is that of the parser: a newer parser reads every page again.
CREATE TABLE pages (
  source TEXT NOT NULL,
  url TEXT NOT NULL,
  revision INTEGER NOT NULL,
  etag TEXT,
  last_modified TEXT,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (source, url)
) STRICT, WITHOUT ROWID;

-- The last readable answer of each source, compressed, one row per page.
CREATE TABLE payloads (
  source TEXT NOT NULL,
  position INTEGER NOT NULL,
  url TEXT NOT NULL,
  fetched_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (source, position)
) STRICT;

-- One row: the highest fence of a lock that has written here. A write with a lower fence is refused.
CREATE TABLE fences (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  fence INTEGER NOT NULL
) STRICT;

-- One row: the UUID of the feed of changes, which never changes.
CREATE TABLE feeds (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL
) STRICT;
INSERT INTO feeds (one, id) VALUES (1, lower(hex(randomblob(16))));
