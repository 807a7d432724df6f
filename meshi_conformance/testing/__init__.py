"""What a test imports: arranging, shared data, valid calls."""
