-- When a source whose whole list is read had no such record any more: kept, and matched no more.
ALTER TABLE sightings ADD COLUMN retired_at INTEGER;
