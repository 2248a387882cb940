-- Statements on the addresses of feeds.

-- name: all
SELECT name, token_hash, filters, formats, alarm, created_by, created_at, requests, last_used_at
FROM feed_addresses ORDER BY name;

-- name: add
INSERT INTO feed_addresses (name, token_hash, filters, formats, alarm, created_by, created_at)
VALUES (:name, :token_hash, :filters, :formats, :alarm, :created_by, :created_at);

-- name: remove
DELETE FROM feed_addresses WHERE name = :name;

-- name: count
-- By the token too: the name may have been given to another address since. A count of another program may be too large
-- to grow.
UPDATE feed_addresses SET requests = min(requests, 1000000000000) + :requests, last_used_at = :last_used_at
WHERE name = :name AND token_hash = :token_hash;
