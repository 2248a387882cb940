CREATE INDEX launches_to_come ON launches (coalesce(net_earliest, 9223372036854775807), id)
WHERE coalesce(status, '') NOT IN ('success', 'partial_failure', 'failure', 'cancelled');
CREATE INDEX launches_to_come_by_end ON launches (net_latest)
WHERE coalesce(status, '') NOT IN ('success', 'partial_failure', 'failure', 'cancelled');
