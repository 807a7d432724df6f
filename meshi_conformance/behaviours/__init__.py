"""Which choice of each open question a target made, read from exchanges that happen anyway.

A module for each topic holds the observers of its questions. An observer is a function over recorded exchanges: it
sends nothing and judges nothing.
"""
