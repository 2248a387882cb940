-- Statements on queues: pauses, and the starts of rate-limited queues.

-- name: note
-- Run in the transaction that claims, so that claimed jobs count even after a crash.
INSERT INTO starts (queue, at, count) VALUES (:queue, :now, :count)
ON CONFLICT (queue, at) DO UPDATE SET count = count + excluded.count;

-- name: forget
-- Starts that have left the window of their queue's rate.
DELETE FROM starts WHERE queue = :queue AND at <= :before;

-- name: forget_all
-- The same for all queues, also those that no longer have a rate.
DELETE FROM starts WHERE at <= :before;

-- name: all
SELECT queue, at, count FROM starts ORDER BY queue, at;

-- name: states
SELECT name, paused, note FROM queues;

-- name: pause
INSERT INTO queues (name, paused, note) VALUES (:name, :paused, :note)
ON CONFLICT (name) DO UPDATE SET paused = excluded.paused, note = excluded.note;
