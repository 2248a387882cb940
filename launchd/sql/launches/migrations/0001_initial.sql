CREATE TABLE launches (
  id           TEXT PRIMARY KEY,
  net_earliest INTEGER,
  net_latest   INTEGER,
  status       TEXT,
  provider     TEXT,
  name         TEXT NOT NULL,
  updated_at   INTEGER NOT NULL,
  body         BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX launches_by_net ON launches (net_earliest, id);
CREATE TABLE sightings (
  source     TEXT NOT NULL,
  source_id  TEXT NOT NULL,
  launch_id  TEXT NOT NULL,
  first_seen INTEGER NOT NULL,
  seen_at    INTEGER NOT NULL,
  body       BLOB NOT NULL,
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
) STRICT;
CREATE INDEX changes_by_launch ON changes (launch_id, id);
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
  rejected INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE fences (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  fence INTEGER NOT NULL
) STRICT;
