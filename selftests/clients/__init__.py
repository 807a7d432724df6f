"""Clients judged: scenarios, duties, good clients and bad ones."""
