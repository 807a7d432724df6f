"""What comes after a run: compare, join and draw reports, and annotate a CI job."""
