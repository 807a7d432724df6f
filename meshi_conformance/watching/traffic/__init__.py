"""Where exchanges come from and go to: HAR files, spool files, and the live proxy."""
