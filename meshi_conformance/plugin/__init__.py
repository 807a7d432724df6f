"""The pytest plugin: options, the run, its sessions and the judging of tests."""
