"""Alerts: the rules, what is open and sent, where alerts go."""
