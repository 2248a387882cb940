-- Statistics of jobs: what the ended jobs of a window tell, what ended over time, what ran when. All statements look at
-- the newest :most jobs only, so that they never hold up other readers; no writer runs them.

-- name: by_name
-- By task or by queue. Percentiles by nearest rank; total() never overflows, as sum() would over rows that are wrong;
-- `busy` is the part of the runs that lies in the window.
WITH ended AS MATERIALIZED (
  SELECT CASE :by WHEN 'task' THEN task ELSE queue END AS name, state, attempt, finished_at - started_at AS ran,
    max(started_at - run_at, 0) AS waited, finished_at - max(started_at, :since) AS inside
  FROM jobs
  WHERE seq > (SELECT coalesce(max(seq), 0) FROM jobs) - :most AND finished_at >= :since
), ranked AS (
  SELECT name, state, attempt, ran, waited, inside, count(ran) OVER (PARTITION BY name) AS started,
    row_number() OVER (PARTITION BY name ORDER BY ran NULLS LAST) AS ran_rank,
    row_number() OVER (PARTITION BY name ORDER BY waited NULLS LAST) AS waited_rank
  FROM ended
)
SELECT name,
  count(*) AS ended,
  count(ran) AS runs,
  count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
  count(*) FILTER (WHERE state IN ('failed', 'quarantined')) AS failures,
  CAST(total(max(attempt - 1, 0)) AS INTEGER) AS retries,
  total(inside) AS busy,
  max(ran) FILTER (WHERE ran_rank = (started * 50 + 99) / 100) AS run_p50,
  max(ran) FILTER (WHERE ran_rank = (started * 95 + 99) / 100) AS run_p95,
  max(ran) FILTER (WHERE ran_rank = (started * 99 + 99) / 100) AS run_p99,
  max(waited) FILTER (WHERE waited_rank = (started * 50 + 99) / 100) AS wait_p50,
  max(waited) FILTER (WHERE waited_rank = (started * 95 + 99) / 100) AS wait_p95,
  max(waited) FILTER (WHERE waited_rank = (started * 99 + 99) / 100) AS wait_p99
FROM ranked GROUP BY name ORDER BY name;

-- name: by_lock
-- How contended each lock was: jobs that ended, those of them that it was never free for, and the waits of the others.
WITH ended AS MATERIALIZED (
  SELECT lock AS name, state, max(started_at - run_at, 0) AS waited
  FROM jobs
  WHERE seq > (SELECT coalesce(max(seq), 0) FROM jobs) - :most AND finished_at >= :since AND lock IS NOT NULL
), ranked AS (
  SELECT name, state, waited, count(waited) OVER (PARTITION BY name) AS started,
    row_number() OVER (PARTITION BY name ORDER BY waited NULLS LAST) AS waited_rank
  FROM ended
)
SELECT name, count(*) AS ended, count(*) FILTER (WHERE state = 'skipped') AS skipped,
  max(waited) FILTER (WHERE waited_rank = (started * 50 + 99) / 100) AS wait_p50,
  max(waited) FILTER (WHERE waited_rank = (started * 95 + 99) / 100) AS wait_p95,
  max(waited) FILTER (WHERE waited_rank = (started * 99 + 99) / 100) AS wait_p99
FROM ranked GROUP BY name ORDER BY name;

-- name: series
-- Per bucket of :step microseconds since :since: how many ended how, and the median and 95th percentile (nearest rank)
-- of how long they ran and had waited. Looks at the newest :most jobs only, so that it never holds up other readers.
WITH ended AS (
  SELECT (finished_at - :since) / :step AS bucket, state, finished_at - started_at AS ran,
    max(started_at - run_at, 0) AS waited
  FROM jobs
  WHERE seq > (SELECT coalesce(max(seq), 0) FROM jobs) - :most AND finished_at >= :since AND finished_at < :until
), ranked AS (
  SELECT bucket, state, ran, waited, count(ran) OVER (PARTITION BY bucket) AS started,
    row_number() OVER (PARTITION BY bucket ORDER BY ran NULLS LAST) AS ran_rank,
    row_number() OVER (PARTITION BY bucket ORDER BY waited NULLS LAST) AS waited_rank
  FROM ended
)
SELECT bucket,
  count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
  count(*) FILTER (WHERE state IN ('failed', 'quarantined')) AS failed,
  count(*) FILTER (WHERE state NOT IN ('succeeded', 'failed', 'quarantined')) AS other,
  max(ran) FILTER (WHERE ran_rank = (started * 50 + 99) / 100) AS run_p50,
  max(ran) FILTER (WHERE ran_rank = (started * 95 + 99) / 100) AS run_p95,
  max(waited) FILTER (WHERE waited_rank = (started * 50 + 99) / 100) AS wait_p50,
  max(waited) FILTER (WHERE waited_rank = (started * 95 + 99) / 100) AS wait_p95
FROM ranked GROUP BY bucket;

-- name: counted_since
-- When the oldest job that is looked at was made; no row where all of them are.
SELECT created_at FROM jobs
WHERE seq > (SELECT max(seq) FROM jobs) - :most AND seq > (SELECT min(seq) FROM jobs)
  AND (SELECT max(seq) - min(seq) FROM jobs) >= :most
ORDER BY seq LIMIT 1;

-- name: timeline
-- What ran between :since and :now, the :limit that ran longest in it, and how many there were; running ones however old.
WITH ran AS MATERIALIZED (
  SELECT id, task, queue, state, attempt, started_at, finished_at FROM jobs
  WHERE seq > (SELECT coalesce(max(seq), 0) FROM jobs) - :most AND finished_at >= :since AND started_at IS NOT NULL
  UNION ALL
  SELECT id, task, queue, state, attempt, started_at, NULL FROM jobs WHERE state = 'running'
)
SELECT id, task, queue, state, attempt, started_at, finished_at, count(*) OVER () AS found FROM ran
ORDER BY coalesce(finished_at, :now) - max(started_at, :since) DESC, id LIMIT :limit;
