"""The smaller files of a report, and its summary on the terminal; each is made from the document."""
