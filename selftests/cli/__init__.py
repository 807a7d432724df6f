"""The command line, the wheel and the CI files."""
