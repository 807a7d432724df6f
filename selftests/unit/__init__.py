"""Unit tests of the packages."""
