"""Fetching from sources: allowed hosts, pace, bodies of bounded size."""
