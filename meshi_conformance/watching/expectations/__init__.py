"""What the pages say of one call: accepted, refused and how, or open."""
