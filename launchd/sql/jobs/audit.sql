-- Statements on the audit log.

-- name: list
-- Newest first, by seq.
SELECT seq, at, actor, action, target, detail FROM audit
WHERE (:cursor IS NULL OR seq < :cursor) AND (:actor IS NULL OR actor = :actor) AND (:action IS NULL OR action = :action)
  AND (:target IS NULL OR target = :target) AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
ORDER BY seq DESC LIMIT :limit;
