"""The other side of the contract: run a client against sandboxes and judge its duties (docs/judge-a-client.md).

From the bottom up: `front` speaks HTTP, `disturbances` and `scenarios` say how a sandbox behaves, `sandbox` records
what passes, `story` keeps what the duties need of it, `duties` judge, `command` runs the client, `judging` and `run`
put a run together.
"""
