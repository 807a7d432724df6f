"""Real components in front of the reference server, and mocks in its place: what a run has to say of each.

`python -m selftests.realworld` (`make realworld`) tries every case and prints what came beside
what should come. `test_realworld.py` asks the quick ones wherever their component is installed.
"""
