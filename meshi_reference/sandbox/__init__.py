"""What the server offers to those who develop against it: health, a page, CORS, a log and a HAR file."""
