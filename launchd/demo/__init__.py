"""The demonstration `launchd demo`: a replay server, and the product against it."""
