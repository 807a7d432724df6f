"""What the watcher keeps, within bounds: observations, its memory of each org, and the tally."""
