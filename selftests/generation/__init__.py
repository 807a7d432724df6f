"""The generated tests on trial: what they find that no scripted test finds, and that they blame no other server."""
