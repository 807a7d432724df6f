"""The rules that all resources share: what a client may send, pages, and the parts of an answer."""
