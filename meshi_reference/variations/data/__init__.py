"""Variations of the data: events, imports, runs, matches, reviews and decisions."""
