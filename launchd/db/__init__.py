"""SQLite databases: one writer thread with group commit, readers of their own, faults with names."""
