"""Health checks of the engine: loops, jobs, sources."""
