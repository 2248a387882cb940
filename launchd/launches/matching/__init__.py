"""Matching sightings to launches: comparable names, evidence, decision. Pure."""
