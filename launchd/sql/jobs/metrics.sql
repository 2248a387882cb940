-- Statements for metrics.

-- name: last_fires
-- The newest occurrence of each schedule in the ledger, also of schedules that are no longer configured.
SELECT name AS schedule, last.fire_time FROM schedules AS s JOIN fires AS last ON last.schedule = s.name
AND last.fire_time = (SELECT max(fire_time) FROM fires WHERE schedule = s.name);

-- name: fires_since
-- The outcomes of a schedule's occurrences after one of them, and the creation times of their jobs.
SELECT f.fire_time, f.outcome, f.count, j.created_at FROM fires AS f LEFT JOIN jobs AS j ON j.id = f.job_id
WHERE f.schedule = :schedule AND f.fire_time > :after AND f.fire_time <= :now ORDER BY f.fire_time LIMIT :limit;
