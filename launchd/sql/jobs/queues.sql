-- Statements on queues: pauses, and the starts of those with a rate.

-- name: note
-- Within the transaction that claims: what a crash leaves claimed has counted.
INSERT INTO starts (queue, at, count) VALUES (:queue, :now, :count)
ON CONFLICT (queue, at) DO UPDATE SET count = count + excluded.count;

-- name: forget
-- Starts that no window holds any more.
DELETE FROM starts WHERE queue = :queue AND at <= :before;

-- name: forget_all
-- The same over all queues, also of those that have a rate no more.
DELETE FROM starts WHERE at <= :before;

-- name: all
SELECT queue, at, count FROM starts ORDER BY queue, at;

-- name: states
SELECT name, paused, note FROM queues;

-- name: pause
INSERT INTO queues (name, paused, note) VALUES (:name, :paused, :note)
ON CONFLICT (name) DO UPDATE SET paused = excluded.paused, note = excluded.note;
