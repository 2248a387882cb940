-- Statements of the SQLite lock backend.

-- name: next_fence
INSERT INTO counters (name, value) VALUES ('fence', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value;

-- name: raise_fence
INSERT INTO counters (name, value) VALUES ('fence', :fence)
ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value);

-- name: current
SELECT name, token, owner, job_id, fence, since, expires_at, lease_until FROM locks WHERE name = ?;

-- name: take
-- The caller has read, in the same transaction, that the lock is free or expired.
INSERT INTO locks (name, token, owner, job_id, fence, since, expires_at, ends_at, lease_until)
VALUES (:name, :token, :owner, :job_id, :fence, :since, :expires_at, :ends_at, :lease_until)
ON CONFLICT (name) DO UPDATE SET token = excluded.token, owner = excluded.owner, job_id = excluded.job_id,
  fence = excluded.fence, since = excluded.since, expires_at = excluded.expires_at, ends_at = excluded.ends_at,
  lease_until = excluded.lease_until;

-- name: renew
-- Only the holder extends its lease, never beyond the ceiling, and never after it has expired.
UPDATE locks SET lease_until = min(:lease_until, ends_at), expires_at = :now + min(:lease_until, ends_at) - :boot
WHERE name = :name AND token = :token AND fence = :fence AND lease_until > :boot
RETURNING expires_at;

-- name: release
-- By the token alone: a caller whose acquire was not answered does not know the fence.
DELETE FROM locks WHERE name = ? AND token = ?;

-- name: all
SELECT name, token, owner, job_id, fence, since, expires_at FROM locks WHERE lease_until > ? ORDER BY name;

-- name: force_release
DELETE FROM locks WHERE name = ? RETURNING name, token, owner, job_id, fence, since, expires_at;

-- name: void_others
-- One daemon owns this directory, so all other instances are dead.
DELETE FROM locks WHERE owner <> ?;
