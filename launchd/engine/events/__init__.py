"""Events: the bus inside the daemon, the feed that clients follow, the content of each event."""
