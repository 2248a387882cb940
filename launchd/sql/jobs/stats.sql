-- Statistics of jobs: ended jobs of a window, ended jobs over time, a timeline of runs. All statements read only the
-- newest :most jobs, so that they never delay other readers; no writer runs them.

-- name: by_name
-- By task or by queue. Percentiles by nearest rank: rank ceil(n * p / 100). total() never overflows, while sum() would
-- for bad values. `busy` is the part of the runs that lies in the window, in microseconds.
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
-- The contention of each lock: jobs that ended, those that were skipped, and the waits of the others.
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
-- For each bucket of :step microseconds since :since: jobs that ended by outcome, and the median and 95th percentile
-- (nearest rank) of their run and wait times.
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
-- The creation time of the oldest job that is read; no row if all jobs are read.
SELECT created_at FROM jobs
WHERE seq > (SELECT max(seq) FROM jobs) - :most AND seq > (SELECT min(seq) FROM jobs)
  AND (SELECT max(seq) - min(seq) FROM jobs) >= :most
ORDER BY seq LIMIT 1;

-- name: timeline
-- The :limit longest runs between :since and :now, and the number of all; running jobs are included whatever their age.
WITH ran AS MATERIALIZED (
  SELECT id, task, queue, state, attempt, started_at, finished_at FROM jobs
  WHERE seq > (SELECT coalesce(max(seq), 0) FROM jobs) - :most AND finished_at >= :since AND started_at IS NOT NULL
  UNION ALL
  SELECT id, task, queue, state, attempt, started_at, NULL FROM jobs WHERE state = 'running'
)
SELECT id, task, queue, state, attempt, started_at, finished_at, count(*) OVER () AS found FROM ran
ORDER BY coalesce(finished_at, :now) - max(started_at, :since) DESC, id LIMIT :limit;
