"""Gate, waivers, history, trend and merging."""
