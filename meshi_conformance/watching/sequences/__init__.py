"""The rules that need several exchanges: what was written is read, listed, changed and walked later."""
