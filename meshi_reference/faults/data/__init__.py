"""Faults of the data: events, sessions, attendees, runs, matches, reviews and IDs."""
