"""HTTP: requests in, answers out, and the connection below them."""
