ALTER TABLE sightings ADD COLUMN origin_id TEXT;
ALTER TABLE changes ADD COLUMN origin_id TEXT;
CREATE INDEX changes_by_origin ON changes (origin_id);
