"""Holds openapi/ and schemas/ to the documentation."""
