"""The rules that one exchange can break."""
