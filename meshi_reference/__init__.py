"""A complete Meshi Partner API server on SQLite, written from the documentation alone.

It serves as a sandbox that a partner can develop a client against, and as the embedded target of the
conformance suite. It imports nothing from the suite and reads none of its files.
"""
