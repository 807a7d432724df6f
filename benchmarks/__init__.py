"""How fast the suite is, and what it finds beside the tools that a team would otherwise pick."""
