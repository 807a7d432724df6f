"""Faults of the answer itself: JSON, headers, labels, texts, and what the whole API promises."""
