"""Decides whether a server keeps the Meshi Partner API contract."""

__version__ = "0.1.0"
