"""Schedules in force: when they fire, what a fire makes, what the wall clock may do to them."""
