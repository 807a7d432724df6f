"""The way to the wire: calls, connections, retries, limits, paging and polling."""
