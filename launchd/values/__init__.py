"""Values from outside, made plain, bounded and clean where they enter."""
