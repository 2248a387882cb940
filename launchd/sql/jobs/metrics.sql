-- Statements that only metrics need.

-- name: last_fires
-- The newest occurrence on the ledger of each schedule, also of one that the configuration no longer has.
SELECT name AS schedule, last.fire_time FROM schedules AS s JOIN fires AS last ON last.schedule = s.name
AND last.fire_time = (SELECT max(fire_time) FROM fires WHERE schedule = s.name);

-- name: fires_since
-- What became of the occurrences of a schedule after one of them, and when their jobs were made.
SELECT f.fire_time, f.outcome, f.count, j.created_at FROM fires AS f LEFT JOIN jobs AS j ON j.id = f.job_id
WHERE f.schedule = :schedule AND f.fire_time > :after AND f.fire_time <= :now ORDER BY f.fire_time LIMIT :limit;
