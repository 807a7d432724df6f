"""Variations of the wire and the lists: bodies, headers, routes, pages and connections."""
