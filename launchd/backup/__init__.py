"""Backups: written while the daemon runs or while it is stopped, read back within bounds, and restored."""
