"""The engine: fires schedules, runs the jobs of queues, holds locks. It knows nothing of launches."""
