-- What ran and ended, over time.

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
-- When the oldest job was made that `series` looks at; no row where it looks at all of them.
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
