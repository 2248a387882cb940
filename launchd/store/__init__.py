"""Reads and writes of jobs.db: jobs with their verdicts and events, schedules, queues, statistics, the audit log."""
