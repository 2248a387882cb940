"""What jobs.db remembers."""
