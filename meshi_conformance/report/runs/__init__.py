"""Several runs: compared, joined, side by side, and over time."""
