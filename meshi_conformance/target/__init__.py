"""The server under test: its address, keys and settings."""
