CREATE TABLE launches (
  id           TEXT PRIMARY KEY,
  net_earliest INTEGER,
  net_latest   INTEGER,
  status       TEXT,
  provider     TEXT,
  name         TEXT NOT NULL,
  updated_at   INTEGER NOT NULL,
  body         BLOB NOT NULL,
  -- grows with each visible change
  revision INTEGER NOT NULL DEFAULT 0,
  -- the record as the sources have it, where overrides make `body` another
  reconciled BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX launches_by_net ON launches (coalesce(net_earliest, 9223372036854775807), id);
-- What has not flown, which is little of all that is known: in the order of a list, and by when its NET is over.
CREATE INDEX launches_to_come ON launches (coalesce(net_earliest, 9223372036854775807), id)
WHERE coalesce(status, '') NOT IN ('success', 'partial_failure', 'failure', 'cancelled');
CREATE INDEX launches_to_come_by_end ON launches (net_latest)
WHERE coalesce(status, '') NOT IN ('success', 'partial_failure', 'failure', 'cancelled');
CREATE TABLE sightings (
  source     TEXT NOT NULL,
  source_id  TEXT NOT NULL,
  launch_id  TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  body       BLOB NOT NULL, origin_id TEXT, retired_at INTEGER,
  PRIMARY KEY (source, source_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_by_launch ON sightings (launch_id);
CREATE TABLE changes (
  id        INTEGER PRIMARY KEY,
  launch_id TEXT NOT NULL,
  field     TEXT NOT NULL,
  old       TEXT,
  new       TEXT,
  source    TEXT NOT NULL,
  seen_at   INTEGER NOT NULL
, origin_id TEXT) STRICT;
CREATE INDEX changes_by_launch ON changes (launch_id, id);
CREATE INDEX changes_by_origin ON changes (origin_id);
CREATE TABLE conflicts (
  launch_id TEXT NOT NULL,
  kind      TEXT NOT NULL,
  other_id  TEXT NOT NULL DEFAULT '',
  evidence  BLOB NOT NULL,
  since     INTEGER NOT NULL,
  PRIMARY KEY (launch_id, kind, other_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE redirects (
  id TEXT PRIMARY KEY,
  to_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE pages (
  source TEXT NOT NULL,
  url TEXT NOT NULL,
  revision INTEGER NOT NULL,
  etag TEXT,
  last_modified TEXT,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (source, url)
) STRICT, WITHOUT ROWID;
CREATE TABLE sources (
  name TEXT PRIMARY KEY,
  last_attempt INTEGER NOT NULL,
  last_success INTEGER,
  last_error TEXT,
  records INTEGER NOT NULL DEFAULT 0,
  rejected INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  retry_at INTEGER,
  requests INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  seconds REAL NOT NULL DEFAULT 0,
  last_requests INTEGER NOT NULL DEFAULT 0,
  last_bytes INTEGER NOT NULL DEFAULT 0,
  last_seconds REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE fences (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  fence INTEGER NOT NULL
) STRICT;
-- What each source said at its last pull that could be read, compressed, in the order of its pages.
CREATE TABLE payloads (
  source TEXT NOT NULL,
  position INTEGER NOT NULL,
  url TEXT NOT NULL,
  fetched_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (source, position)
) STRICT;
-- What an operator says of a field, whatever the sources say.
CREATE TABLE overrides (
  launch_id TEXT NOT NULL,
  field TEXT NOT NULL,
  value BLOB NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  at INTEGER NOT NULL,
  -- the launch it was set for, where that was merged into another
  origin_id TEXT,
  PRIMARY KEY (launch_id, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX changes_by_time ON changes (seen_at, launch_id);
-- What a search looks through: the words of each launch, indexed by FTS5 without a copy of its own.
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
-- The one place that says which words; JSON is kept as a blob, and SQLite would take a blob for its own binary JSON.
CREATE VIEW launch_words AS
SELECT id AS launch_id, name || ' ' || coalesce(provider, '') || ' ' || coalesce(json_extract(body, '$.mission'), '')
  || ' ' || coalesce(json_extract(body, '$.vehicle'), '') || ' ' || coalesce(json_extract(body, '$.pad'), '')
  || ' ' || coalesce(json_extract(body, '$.location.name'), '') || ' ' || coalesce(json_extract(body, '$.orbit'), '')
  || ' ' || coalesce(json_extract(body, '$.designator'), '') AS words
FROM (SELECT id, name, provider, CAST(body AS TEXT) AS body FROM launches);
CREATE TRIGGER launches_added AFTER INSERT ON launches BEGIN
  INSERT INTO searchable (launch_id, words) SELECT launch_id, words FROM launch_words WHERE launch_id = new.id;
END;
CREATE TRIGGER launches_changed AFTER UPDATE ON launches BEGIN
  UPDATE searchable SET words = (SELECT words FROM launch_words WHERE launch_id = new.id)
  WHERE launch_id = new.id AND words <> (SELECT words FROM launch_words WHERE launch_id = new.id);
END;
CREATE TRIGGER launches_removed AFTER DELETE ON launches BEGIN
  DELETE FROM searchable WHERE launch_id = old.id;
END;
-- The UUID that names the feed of changes for ever.
CREATE TABLE feeds (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL
) STRICT;
-- Which launches were told to be so many hours away: told once, whatever becomes of the process.
CREATE TABLE approaches (
  launch_id TEXT NOT NULL,
  hours INTEGER NOT NULL,
  told_at INTEGER NOT NULL,
  PRIMARY KEY (launch_id, hours)
) STRICT, WITHOUT ROWID;
