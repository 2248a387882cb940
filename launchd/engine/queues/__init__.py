"""Queues and their pools: which job starts when, locks that jobs wait for, ends, the reaper."""
