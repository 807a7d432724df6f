"""The suite against servers and networks that misbehave."""
