"""Proves the suite itself."""
