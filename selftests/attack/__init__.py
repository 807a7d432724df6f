"""Hostile answers, secrets in every spelling, signals and full disks."""
