"""The books of requirements, tests, faults and variations balance."""
