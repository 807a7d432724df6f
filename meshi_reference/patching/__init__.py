"""How faults and variations change the reference server."""
