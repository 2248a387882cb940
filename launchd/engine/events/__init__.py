"""Events: the bus inside the daemon, the feed that clients follow, the words of each event."""
