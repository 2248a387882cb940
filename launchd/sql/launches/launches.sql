-- name: all_sightings
SELECT source, source_id, launch_id, first_seen, seen_at, body, origin_id, retired_at, former_names
FROM sightings
-- name: all_launches
-- The records by the sources, without overrides: new data of the sources is compared with these.
SELECT id, name, coalesce(reconciled, body) AS body, updated_at, revision FROM launches
-- name: put_sighting
INSERT INTO sightings (source, source_id, launch_id, first_seen, seen_at, body, origin_id, retired_at, former_names)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source, source_id) DO UPDATE
SET launch_id = excluded.launch_id, first_seen = excluded.first_seen, seen_at = excluded.seen_at, body = excluded.body,
  origin_id = excluded.origin_id, retired_at = excluded.retired_at, former_names = excluded.former_names
-- name: move_retired
-- Retired sightings are not matched again: they follow the launch that was merged.
UPDATE sightings SET launch_id = :old WHERE launch_id = :young AND retired_at IS NOT NULL
-- name: put_launch
-- The revision counts visible changes only, so provenance is left out. A stored body that is not JSON is replaced.
INSERT INTO launches (id, net_earliest, net_latest, status, provider, vehicle, vehicle_family, pad, site, name,
  updated_at, body, reconciled)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET net_earliest = excluded.net_earliest, net_latest = excluded.net_latest,
  status = excluded.status, provider = excluded.provider, vehicle = excluded.vehicle,
  vehicle_family = excluded.vehicle_family, pad = excluded.pad, site = excluded.site, name = excluded.name,
  updated_at = CASE WHEN json_valid(CAST(launches.body AS TEXT)) = 0 THEN excluded.updated_at
    WHEN json_remove(CAST(launches.body AS TEXT), '$.provenance')
    = json_remove(CAST(excluded.body AS TEXT), '$.provenance') THEN launches.updated_at ELSE excluded.updated_at END,
  revision = launches.revision + CASE WHEN json_valid(CAST(launches.body AS TEXT)) = 0 THEN 1
    ELSE json_remove(CAST(launches.body AS TEXT), '$.provenance')
    <> json_remove(CAST(excluded.body AS TEXT), '$.provenance') END,
  body = excluded.body, reconciled = excluded.reconciled
-- name: put_words
INSERT INTO searchable (launch_id, words) VALUES (?, ?)
ON CONFLICT (launch_id) DO UPDATE SET words = excluded.words WHERE words <> excluded.words
-- name: unknown_candidates
-- Each combination of names that present records of a source have, and the number of those records.
SELECT source, provider, vehicle, pad, location, orbit, count(*) AS records FROM (
  SELECT source, json_extract(body, '$.provider') AS provider, json_extract(body, '$.vehicle') AS vehicle,
    json_extract(body, '$.pad') AS pad, json_extract(body, '$.location.name') AS location,
    json_extract(body, '$.orbit') AS orbit
  FROM (SELECT source, CAST(body AS TEXT) AS body FROM sightings WHERE retired_at IS NULL) WHERE json_valid(body)
) GROUP BY 1, 2, 3, 4, 5, 6
-- name: put_gone
UPDATE launches SET gone = ? WHERE id = ?
-- name: put_change
INSERT INTO changes (launch_id, field, old, new, source, seen_at, origin_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?1)
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
-- origin_id keeps the launch that a row was written for, so that a split can return its history.
UPDATE changes SET launch_id = :old WHERE launch_id = :young OR origin_id = :young
-- name: move_overrides
-- If both launches have an override of a field, that of the older launch stays.
UPDATE OR IGNORE overrides SET launch_id = :old, origin_id = coalesce(origin_id, :young) WHERE launch_id = :young
-- name: drop_overrides
DELETE FROM overrides WHERE launch_id = :young
-- name: drop_redirect
DELETE FROM redirects WHERE id = :id
-- name: return_overrides
UPDATE overrides SET launch_id = :id, origin_id = NULL WHERE origin_id = :id
-- name: return_changes
UPDATE changes SET launch_id = :id WHERE origin_id = :id
-- name: drop_launch
DELETE FROM launches WHERE id = :young
-- name: redirected
SELECT to_id FROM redirects WHERE id = ?
-- name: fence
SELECT fence FROM fences
-- name: raise_fence
INSERT INTO fences (one, fence) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET fence = max(fence, excluded.fence)
-- name: get
SELECT id, name, body, updated_at, revision FROM launches WHERE id = ?
-- name: sightings_of
SELECT source, source_id, first_seen, seen_at, body, origin_id, retired_at, former_names FROM sightings
WHERE launch_id = ? ORDER BY source, source_id
-- name: changes_of
SELECT field, old, new, source, seen_at FROM changes WHERE launch_id = ? ORDER BY id
-- name: net_histories
-- The history of the NETs of some launches (a JSON list of ids), each launch's oldest first.
SELECT launch_id, field, old, new, source, seen_at FROM changes
WHERE launch_id IN (SELECT value FROM json_each(?)) AND field IN ('net', 'net_precision') ORDER BY launch_id, id;

-- name: conflicts_of
SELECT kind, other_id, evidence, since FROM conflicts WHERE launch_id = :id OR other_id = :id
-- name: bodies
SELECT body, coalesce(reconciled, body) AS reconciled, reconciled IS NOT NULL AS overridden FROM launches WHERE id = ?
-- name: overrides_of
SELECT launch_id, field, value, actor, reason, at FROM overrides WHERE launch_id = ? ORDER BY field
-- name: all_overrides
SELECT launch_id, field, value, actor, reason, at FROM overrides ORDER BY launch_id, field
-- name: put_override
INSERT INTO overrides (launch_id, field, value, actor, reason, at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (launch_id, field) DO UPDATE SET value = excluded.value, actor = excluded.actor,
  reason = excluded.reason, at = excluded.at
-- name: drop_override
DELETE FROM overrides WHERE launch_id = ? AND field = ?
-- name: open_conflicts
-- Newest first; the cursor is the key (since, launch_id, kind, other_id).
SELECT c.launch_id, c.kind, c.other_id, c.evidence, c.since, a.name, b.name AS other_name
FROM conflicts AS c JOIN launches AS a ON a.id = c.launch_id LEFT JOIN launches AS b ON b.id = c.other_id
WHERE (:kind IS NULL OR c.kind = :kind)
  AND (:source IS NULL OR CASE WHEN json_valid(CAST(c.evidence AS TEXT))
    THEN json_extract(CAST(c.evidence AS TEXT), :source) IS NOT NULL ELSE 0 END)
  AND (:since IS NULL OR (c.since, c.launch_id, c.kind, c.other_id) < (:since, :launch_id, :after_kind, :other_id))
ORDER BY c.since DESC, c.launch_id DESC, c.kind DESC, c.other_id DESC LIMIT :limit
-- name: changes_at
SELECT field, old, new, source, seen_at FROM changes WHERE launch_id = ? AND seen_at = ? ORDER BY id
-- name: feed
SELECT id FROM feeds
-- name: move_approaches
UPDATE OR IGNORE approaches SET launch_id = :old WHERE launch_id = :young
-- name: drop_approaches
DELETE FROM approaches WHERE launch_id = :young
