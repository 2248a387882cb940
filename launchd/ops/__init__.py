"""What an operator sees of the process itself: logs, health, systemd."""
