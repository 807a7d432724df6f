"""One request with its answer, for those who watch the server."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Seen:
    """One exchange as it is logged. `key` names the environment variable of the key, never the key."""

    moment: float
    method: str
    target: str
    key: str
    status: int = 0
    milliseconds: float = 0.0
    correlation_id: str = ""
    code: str = ""
    request_headers: list[tuple[str, str]] = field(default_factory=list)
    request_body: bytearray = field(default_factory=bytearray)
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    def line(self) -> str:
        """Return the exchange in one line, with nothing in it that steers a terminal."""
        when = time.strftime("%H:%M:%S", time.localtime(self.moment))
        said = f"{when} {self.status or 'lost'} {self.method} {self.target} {self.milliseconds:.0f} ms {self.key}"
        return (said + f" {self.correlation_id} {self.code}".rstrip()).encode("unicode_escape").decode("ascii")
