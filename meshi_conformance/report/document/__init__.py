"""The one document of a run or of observed traffic, and the questions that every file of a report asks of it."""
