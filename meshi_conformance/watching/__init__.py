"""Judge traffic that happens anyway: exchanges in, verdicts out, in one pass and with bounded state.

`Watcher.see(exchange)` takes one exchange, `Watcher.verdicts()` gives the verdict of every requirement. Recordings
(recording.py), the proxy and every other source of traffic share it. The watcher judges nothing whose beginning it
has not seen.
"""
