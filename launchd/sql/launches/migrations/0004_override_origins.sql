ALTER TABLE overrides ADD COLUMN origin_id TEXT;
