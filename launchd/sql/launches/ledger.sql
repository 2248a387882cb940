-- name: last_look
SELECT last_success FROM sources WHERE name = ?
-- name: launch_of
SELECT launch_id FROM sightings WHERE source = ? AND source_id = ?
-- name: put_move
INSERT INTO net_moves (launch_id, origin_id, seen_at, last_look, late, source, kind, counts, size,
  old_earliest, old_latest, old_precision, new_earliest, new_latest, new_precision)
VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
-- name: own_moves
-- The moves that were written for this launch, oldest first; those of launches that were merged into it are left out.
SELECT old_earliest, old_latest, old_precision, new_earliest, new_latest, new_precision FROM net_moves
WHERE launch_id = :id AND origin_id = :id ORDER BY id
-- name: move_moves
UPDATE net_moves SET launch_id = :old WHERE launch_id = :young OR origin_id = :young
-- name: return_moves
UPDATE net_moves SET launch_id = :id WHERE origin_id = :id
-- name: moves_of
-- The ledger of a launch, oldest first. Rows of launches that were merged into it do not count.
SELECT seen_at, last_look, late, source, kind, counts AND origin_id = launch_id AS counts, size, old_earliest, old_latest,
  old_precision, new_earliest, new_latest, new_precision, origin_id
FROM net_moves WHERE launch_id = ? ORDER BY id
-- name: slips_of
-- The slips of some launches (a JSON list of ids). total() never overflows, whatever another program wrote.
SELECT launch_id, sum(counts <> 0) AS later, CAST(total(CASE WHEN counts THEN size END) AS INTEGER) AS total,
  sum(kind = 'pull_in') AS earlier
FROM net_moves WHERE launch_id IN (SELECT value FROM json_each(?)) AND origin_id = launch_id GROUP BY launch_id
-- name: slips_by_launch
-- The slips of every launch with a ledger, and the words for its provider and vehicle.
SELECT l.provider, CASE WHEN json_valid(CAST(l.body AS TEXT)) THEN json_extract(CAST(l.body AS TEXT), '$.vehicle') END AS vehicle,
  m.later, m.total, m.earlier, m.scrubs, m.late
FROM (SELECT launch_id, sum(counts <> 0) AS later, CAST(total(CASE WHEN counts THEN size END) AS INTEGER) AS total,
    sum(kind = 'pull_in') AS earlier, sum(kind = 'scrub') AS scrubs, sum(counts AND late) AS late
  FROM net_moves WHERE origin_id = launch_id GROUP BY launch_id) AS m
JOIN launches AS l ON l.id = m.launch_id
-- name: state_net
-- A record that has flown before anybody saw it has stated nothing; later changes of a known record are all kept.
INSERT INTO stated_nets (source, source_id, seen_at, away_since, earliest, latest, precision)
SELECT :source, :source_id, :seen_at, :away_since, :earliest, :latest, :precision
WHERE CASE WHEN EXISTS (SELECT 1 FROM stated_nets WHERE source = :source AND source_id = :source_id)
  THEN (:earliest, :latest, :precision) IS NOT (SELECT earliest, latest, precision FROM stated_nets
    WHERE source = :source AND source_id = :source_id ORDER BY seen_at DESC LIMIT 1)
  ELSE :first AND :earliest IS NOT NULL END
ON CONFLICT (source, source_id, seen_at) DO UPDATE SET earliest = excluded.earliest, latest = excluded.latest,
  precision = excluded.precision
-- name: statements
-- What each source, and launchd itself, stated of each launch that has flown, whose lift-off is known to the minute:
-- launch by launch, oldest first. A source may have had several records of a launch, one after the other.
SELECT s.source, l.id, l.provider,
  CASE WHEN json_valid(CAST(l.body AS TEXT)) THEN json_extract(CAST(l.body AS TEXT), '$.vehicle') END AS vehicle,
  l.net_earliest, l.net_latest, s.seen_at, s.away_since, s.earliest, s.latest
FROM stated_nets AS s LEFT JOIN sightings AS g ON g.source = s.source AND g.source_id = s.source_id
JOIN launches AS l ON l.id = CASE s.source WHEN 'launchd' THEN s.source_id ELSE g.launch_id END
WHERE (:source IS NULL OR s.source = :source) AND l.status IN ('success', 'partial_failure', 'failure')
  AND l.net_latest - l.net_earliest < 60000000
ORDER BY s.source, l.id, s.seen_at, s.source_id
