"""The log: where lines go, who writes them, and which values never appear in them."""
