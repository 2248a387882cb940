"""The engine: schedules fire, queues are worked off, locks are kept. It knows nothing of launches."""
