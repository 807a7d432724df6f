"""The terminal or log of a run: the way out, and the progress shown on it."""
