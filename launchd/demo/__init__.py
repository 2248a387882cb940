"""What `launchd demo` shows."""
