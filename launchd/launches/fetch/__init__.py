"""Fetching from sources: hosts that may be asked, pace, bodies within bounds."""
