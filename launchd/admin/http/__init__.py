"""HTTP itself: listeners, connections, access, problems, compression, and values as JSON."""
