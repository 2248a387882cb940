ALTER TABLE sources ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN retry_at INTEGER;
ALTER TABLE sources ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN last_requests INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN last_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sources ADD COLUMN last_seconds REAL NOT NULL DEFAULT 0;
CREATE TABLE payloads (
  source TEXT NOT NULL,
  position INTEGER NOT NULL,
  url TEXT NOT NULL,
  fetched_at INTEGER NOT NULL,
  size INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (source, position)
) STRICT;
ALTER TABLE launches ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE launches ADD COLUMN reconciled BLOB;
DROP INDEX launches_by_net;
CREATE INDEX launches_by_net ON launches (coalesce(net_earliest, 9223372036854775807), id);
CREATE TABLE overrides (
  launch_id TEXT NOT NULL,
  field TEXT NOT NULL,
  value BLOB NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  at INTEGER NOT NULL,
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
INSERT INTO searchable (launch_id, words) SELECT launch_id, words FROM launch_words;
-- The UUID that names the feed of changes for ever.
CREATE TABLE feeds (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL
) STRICT;
INSERT INTO feeds (one, id) VALUES (1, lower(hex(randomblob(16))));
