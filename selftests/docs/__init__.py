"""Every command of the documentation works as written."""
