"""What came back: recorded requests with their answers, and the checks on each."""
