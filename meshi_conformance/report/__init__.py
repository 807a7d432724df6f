"""What a run leaves behind for people and machines; everything here reads the results document alone."""
