"""Judge: a server, a client, recorded traffic or live traffic; and look at the target first."""
