-- name: pages
SELECT url, etag, last_modified, sha256 FROM pages WHERE source = ? AND revision = ?
-- name: drop_pages
DELETE FROM pages WHERE source = ?
-- name: put_page
INSERT INTO pages (source, url, revision, etag, last_modified, sha256) VALUES (?, ?, ?, ?, ?, ?)
-- name: drop_payloads
DELETE FROM payloads WHERE source = ?
-- name: put_payload
INSERT INTO payloads (source, position, url, fetched_at, size, body) VALUES (?, ?, ?, ?, ?, ?)
-- name: payloads
SELECT url, body FROM payloads WHERE source = ? ORDER BY position
-- name: attempted
-- The traffic of an attempt, successful or not.
INSERT INTO sources (name, last_attempt, requests, bytes, seconds, last_requests, last_bytes, last_seconds)
VALUES (:name, :at, :requests, :bytes, :seconds, :requests, :bytes, :seconds)
ON CONFLICT (name) DO UPDATE SET last_attempt = :at, requests = requests + :requests, bytes = bytes + :bytes,
  seconds = seconds + :seconds, last_requests = :requests, last_bytes = :bytes, last_seconds = :seconds
-- name: failed
UPDATE sources SET last_error = :error, failures = :failures, retry_at = :retry_at WHERE name = :name
-- name: answered
-- The doubt about an answer is kept as the error of the source; NULL if there is none.
UPDATE sources SET last_success = :at, last_error = :doubt, failures = 0, retry_at = NULL WHERE name = :name
-- name: counted
UPDATE sources SET records = :records, rejected = :rejected WHERE name = :name
-- name: last_requests
SELECT name, last_requests FROM sources
-- name: circuit
SELECT failures, retry_at, last_error FROM sources WHERE name = ?
-- name: sources
SELECT name, last_attempt, last_success, last_error, records, rejected, failures, retry_at, requests, bytes, seconds,
  last_requests, last_bytes, last_seconds,
  (SELECT etag FROM pages WHERE pages.source = sources.name AND etag IS NOT NULL ORDER BY url LIMIT 1) AS etag
FROM sources
-- name: kept
SELECT source, count(*) AS pages, sum(size) AS size, sum(length(body)) AS stored, max(fetched_at) AS fetched_at
FROM payloads GROUP BY source
-- name: not_after
-- Times written while the clock was ahead: until then the source would count as fresh, or not be asked again.
UPDATE sources SET last_attempt = min(last_attempt, :now), last_success = min(last_success, :now),
  retry_at = CASE WHEN last_attempt <= :now THEN retry_at END
WHERE last_attempt > :now OR last_success > :now
