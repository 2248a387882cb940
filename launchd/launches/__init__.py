"""Launch data: the engine's first application."""
