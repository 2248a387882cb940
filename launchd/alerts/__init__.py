"""Alerts: their rules, their store, and the targets that they are sent to."""
