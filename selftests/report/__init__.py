"""The files of a report, also in a real browser."""
