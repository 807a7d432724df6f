"""Conforming servers that choose otherwise where the pages are silent."""
