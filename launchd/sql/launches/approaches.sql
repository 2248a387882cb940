-- name: near
-- Launches whose NET lies within [:first, :last] or reaches into it. A NET wider than that span is left out, so twice the
-- span of the index is enough.
SELECT net_earliest, net_latest, id, name FROM launches
WHERE coalesce(net_earliest, 9223372036854775807) BETWEEN :first - (:last - :first) AND :last
  AND net_latest >= :first AND net_latest - net_earliest <= :last - :first
  AND gone = 0 AND coalesce(status, '') NOT IN ('success', 'partial_failure', 'failure', 'cancelled')
ORDER BY net_earliest, id
-- name: announced
SELECT launch_id, hours FROM approaches
-- name: announce
INSERT INTO approaches (launch_id, hours, told_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
-- name: forget
DELETE FROM approaches WHERE launch_id = ? AND hours = ?
-- name: body
SELECT body FROM launches WHERE id = ?
