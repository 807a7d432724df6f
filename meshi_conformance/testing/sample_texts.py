"""Values that tests send where any other would do as well."""

from __future__ import annotations

BEYOND_ASCII = "Überblick – Łódź & 会議"
"""Text outside ASCII in composed characters of the basic plane, with nothing that a server could trim."""

OUTSIDE_THE_BASIC_PLANE = "\U0001f680\U0001d11e"
"""Two symbols that take two units of UTF-16 and four bytes of UTF-8."""
