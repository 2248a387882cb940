-- name: all_sightings
SELECT source, source_id, launch_id, first_seen, seen_at, body FROM sightings
-- name: all_launches
SELECT body FROM launches
-- name: put_sighting
INSERT INTO sightings (source, source_id, launch_id, first_seen, seen_at, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (source, source_id) DO UPDATE
SET launch_id = excluded.launch_id, seen_at = excluded.seen_at, body = excluded.body
-- name: put_launch
INSERT INTO launches (id, net_earliest, net_latest, status, provider, name, updated_at, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET net_earliest = excluded.net_earliest, net_latest = excluded.net_latest,
  status = excluded.status, provider = excluded.provider, name = excluded.name, updated_at = excluded.updated_at,
  body = excluded.body
-- name: put_change
INSERT INTO changes (launch_id, field, old, new, source, seen_at) VALUES (?, ?, ?, ?, ?, ?)
-- name: put_conflict
INSERT INTO conflicts (launch_id, kind, other_id, evidence, since) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (launch_id, kind, other_id) DO UPDATE SET evidence = excluded.evidence
-- name: all_conflicts
SELECT launch_id, kind, other_id, evidence, since FROM conflicts ORDER BY launch_id, kind, other_id
-- name: drop_conflict
DELETE FROM conflicts WHERE launch_id = ? AND kind = ? AND other_id = ?
-- name: redirect
INSERT INTO redirects (id, to_id) VALUES (:young, :old) ON CONFLICT (id) DO UPDATE SET to_id = excluded.to_id
-- name: follow_redirects
UPDATE redirects SET to_id = :old WHERE to_id = :young
-- name: move_changes
UPDATE changes SET launch_id = :old WHERE launch_id = :young
-- name: drop_launch
DELETE FROM launches WHERE id = :young
-- name: redirected
SELECT to_id FROM redirects WHERE id = ?
-- name: fence
SELECT fence FROM fences
-- name: raise_fence
INSERT INTO fences (one, fence) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET fence = max(fence, excluded.fence)
-- name: pages
SELECT url, etag, last_modified, sha256 FROM pages WHERE source = ? AND revision = ?
-- name: drop_pages
DELETE FROM pages WHERE source = ?
-- name: put_page
INSERT INTO pages (source, url, revision, etag, last_modified, sha256) VALUES (?, ?, ?, ?, ?, ?)
-- name: attempt_failed
INSERT INTO sources (name, last_attempt, last_error) VALUES (:name, :at, :error)
ON CONFLICT (name) DO UPDATE SET last_attempt = :at, last_error = :error
-- name: attempt_unchanged
UPDATE sources SET last_attempt = :at, last_success = :at, last_error = NULL WHERE name = :name
-- name: attempt_succeeded
INSERT INTO sources (name, last_attempt, last_success, records, rejected) VALUES (:name, :at, :at, :records, :rejected)
ON CONFLICT (name) DO UPDATE SET last_attempt = :at, last_success = :at, last_error = NULL, records = :records,
  rejected = :rejected
-- name: sources
SELECT name, last_attempt, last_success, last_error, records, rejected FROM sources
-- name: get
SELECT body, updated_at FROM launches WHERE id = ?
-- name: sightings_of
SELECT source, source_id, first_seen, seen_at, body FROM sightings WHERE launch_id = ? ORDER BY source, source_id
-- name: changes_of
SELECT field, old, new, source, seen_at FROM changes WHERE launch_id = ? ORDER BY id
-- name: conflicts_of
SELECT kind, other_id, evidence, since FROM conflicts WHERE launch_id = :id OR other_id = :id
