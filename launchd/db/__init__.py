"""SQLite databases: one writer thread with group commit, separate read connections, SQLite's errors by name."""
