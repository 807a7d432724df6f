"""Faults of the rules that many operations share: keys, limits, lists, refusals, idempotency."""
