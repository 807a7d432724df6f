"""Many whole runs in a row, in another order and with another seed each."""
