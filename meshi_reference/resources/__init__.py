"""The modules that answer the operations."""
