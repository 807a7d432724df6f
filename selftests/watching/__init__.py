"""Recorded traffic judged: HAR files of many tools, streams, single exchanges and sequences."""
