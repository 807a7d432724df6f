"""What a run will send, how many processes send it, and in which order."""
