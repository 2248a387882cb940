"""Which sightings are of one launch: names made comparable, evidence, decision. Pure."""
