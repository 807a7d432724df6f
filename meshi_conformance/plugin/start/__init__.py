"""How a run starts: pytest is launched, the surroundings and the target are looked at, the costs are announced."""
