"""The judge on trial: every fault of the reference has to be found, every variation has to pass."""
