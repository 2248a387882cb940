"""Backups: written while the daemon runs or is stopped, read back within bounds, and restored."""
