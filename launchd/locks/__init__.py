"""Lock backends, and the manager of what this daemon holds."""
