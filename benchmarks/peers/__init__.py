"""The same server, file and faults, given to the general tools that read OpenAPI and to this suite."""
