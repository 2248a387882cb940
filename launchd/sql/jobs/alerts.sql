-- Statements on alerts: the inbox of failed jobs, open problems, alerts that are held or sent, and their deliveries.

-- name: switch
-- 1 lets a trigger note failed and quarantined jobs in alert_inbox; 0 turns it off.
INSERT INTO counters (name, value) VALUES ('alerting', ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: forget_inbox
DELETE FROM alert_inbox;

-- name: forget_troubles
DELETE FROM alert_troubles;

-- name: due
-- 1 if there is work: rows in the inbox, open problems, or alerts that are held.
SELECT EXISTS (SELECT 1 FROM alert_inbox) OR EXISTS (SELECT 1 FROM alert_troubles)
  OR EXISTS (SELECT 1 FROM alerts WHERE job_id IS NULL AND summed_up_by IS NULL) AS due;

-- name: inbox
-- Failed and quarantined jobs by task and state, with the error of the last job of each.
SELECT inbox.task, inbox.state, inbox.count, inbox.job_id, jobs.reason, jobs.error
FROM alert_inbox AS inbox LEFT JOIN jobs ON jobs.id = inbox.job_id ORDER BY inbox.task, inbox.state;

-- name: troubles
SELECT key, rule, severity, title, since, clear_since FROM alert_troubles ORDER BY since, key;

-- name: put_trouble
INSERT INTO alert_troubles (key, rule, severity, title, since, clear_since) VALUES (?, ?, ?, ?, ?, ?);

-- name: newest_of_key
-- The newest alert of a key, and how often it was repeated.
SELECT created_at, repeats FROM alerts WHERE key = ? ORDER BY seq DESC LIMIT 1;

-- name: repeat
-- Count a repetition on the newest alert of the key.
UPDATE alerts SET count = count + :count, repeats = repeats + :count, last_at = :now
WHERE seq = (SELECT max(seq) FROM alerts WHERE key = :key);

-- name: admitted
-- How many alerts got a job that sends them after an instant.
SELECT count(*) AS sent FROM alerts WHERE admitted_at > ?;

-- name: held
SELECT seq, title, created_at FROM alerts WHERE job_id IS NULL AND summed_up_by IS NULL ORDER BY seq;

-- name: sum_up
UPDATE alerts SET summed_up_by = :id WHERE job_id IS NULL AND summed_up_by IS NULL AND seq <= :last;

-- name: insert
INSERT INTO alerts (id, rule, key, severity, title, body, count, created_at, last_at, job_id, admitted_at)
VALUES (:id, :rule, :key, :severity, :title, :body, :count, :now, :now, :job_id, :admitted_at);

-- name: prune
-- Old alerts, a few at a time; ON DELETE CASCADE deletes their deliveries.
DELETE FROM alerts WHERE seq IN (SELECT seq FROM alerts ORDER BY seq LIMIT :limit) AND created_at < :before;

-- name: alert
SELECT rule, key, severity, title, body, count, sent_at FROM alerts WHERE id = ?;

-- name: delivered_to
SELECT target FROM alert_deliveries WHERE alert_id = ?;

-- name: delivered
INSERT OR IGNORE INTO alert_deliveries (alert_id, target, at) VALUES (?, ?, ?);

-- name: last_tried
SELECT error FROM alerts WHERE sent_at IS NOT NULL OR error IS NOT NULL ORDER BY seq DESC LIMIT 1;

-- name: sent
UPDATE alerts SET sent_at = ?, error = NULL WHERE id = ? AND sent_at IS NULL;

-- name: not_sent
UPDATE alerts SET error = ? WHERE id = ? AND sent_at IS NULL;

-- name: list
-- Newest first. An alert is failed if its job has ended or was deleted without sending it.
SELECT alerts.seq, alerts.id, rule, key, severity, title, body, count, alerts.created_at, last_at, job_id, sent_at,
  summed_up_by, alerts.error,
  CASE
    WHEN sent_at IS NOT NULL THEN 'sent'
    WHEN summed_up_by IS NOT NULL THEN 'summed_up'
    WHEN job_id IS NULL THEN 'held'
    WHEN jobs.id IS NOT NULL AND jobs.finished_at IS NULL THEN 'pending'
    ELSE 'failed'
  END AS state
FROM alerts LEFT JOIN jobs ON jobs.id = alerts.job_id
WHERE alerts.seq < :before ORDER BY alerts.seq DESC LIMIT :limit;
