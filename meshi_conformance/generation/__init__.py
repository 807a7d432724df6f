"""Generated tests: calls, walks along links, a model of the API, concurrent histories.

What is sent comes from schemathesis and Hypothesis; what must come back is decided here, from the reading rules
alone (docs/generated-tests.md). Both libraries are imported when the first such test runs, never before: a run
without them pays nothing.
"""
