"""One promise of the documentation, and how a row of requirements/*.yaml becomes one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..vocabulary import Level

SERVER, CLIENT = "server", "client"
SUBJECTS = (SERVER, CLIENT)
"""Whom a requirement binds. One that binds the client is a duty."""

NEEDS = {
    "read": "MESHI_READ_KEY is not set",
    "other": "MESHI_OTHER_KEY is not set",
    "disabled": "MESHI_DISABLED_KEY is not set",
    "user": "MESHI_USER_KEY is not set",
    "no_org": "MESHI_NO_ORG_KEY is not set",
    "large": "large requests are opt-in on this target: --large",
    "rate_limit": "provoking the rate limit is opt-in on this target: --rate-limit-probe",
    "legacy_alias": "the target's base URL does not end with /api/v0/partner, so its alias is unknown",
    "loopback": "the target is on another machine, so the suite cannot listen for what it would send",
}
"""What a requirement can need, and what is said when it is not there."""


@dataclass(frozen=True)
class Requirement:
    """One promise of the documentation.

    `level` is `documented` or `implied`; `source` names page and section; `operations` are operationIds;
    `needs` names keys (`other`) and capabilities (`large`) without which it cannot be judged; `family` is
    the first part of the ID, `derived` says whether the OpenAPI file implies it. `subject` is `server` or `client`.
    """

    id: str
    level: Level
    statement: str
    page: str
    section: str
    operations: tuple[str, ...]
    needs: tuple[str, ...] = ()
    derived: bool = False
    subject: str = SERVER

    @property
    def family(self) -> str:
        return self.id.split(".", 1)[0]

    @property
    def markers(self) -> tuple[str, ...]:
        """What pytest's `-m` can name its tests by: the level, the family and the operations."""
        # Plain text: workers send the markers of a test on, and their wire knows no enumeration.
        return (self.level.value, self.family, *self.operations)

    @property
    def source(self) -> str:
        return f"{self.page}, {self.section}"


def read_requirement(
    row: Mapping[str, Any], file: str, operations: Collection[str], *, derived: bool = False
) -> Requirement:
    """Return the requirement of a row. Raise UsageError, naming the file, for a row of another form."""
    try:
        bound = row["operations"]
        if bound == "all":
            bound = list(operations)
        unknown = [name for name in bound if name not in operations]
        needs = row.get("needs", [])
        if unknown:
            raise ValueError(f"unknown operations {unknown}")
        if row["level"] not in list(Level):
            raise ValueError(f"unknown level {row['level']!r}")
        subject = row.get("subject", SERVER)
        if subject not in SUBJECTS:
            raise ValueError(f"unknown subject {subject!r}")
        if set(row) - _ROW_MEMBERS:
            raise ValueError(f"unknown members {sorted(map(str, set(row) - _ROW_MEMBERS))}")
        if not isinstance(needs, list) or set(needs) - set(NEEDS):
            raise ValueError(f"unknown needs {needs!r}")
        if not isinstance(row["id"], str) or not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+", row["id"]):
            raise ValueError(f"the ID {row['id']!r} does not read topic.thing.aspect")
        page, section = _source(row["source"])
        return Requirement(
            id=row["id"],
            level=Level(row["level"]),
            statement=" ".join(row["statement"].split()),
            page=page,
            section=section,
            operations=tuple(bound),
            needs=tuple(needs),
            derived=derived,
            subject=subject,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise unreadable(file, row, problem) from problem


def unreadable(file: str, row: object, problem: Exception) -> UsageError:
    """Return the error for a row that has another form, with the reason."""
    why = f"{problem.args[0]!r} is missing" if isinstance(problem, KeyError) else str(problem)
    return UsageError(f"requirements/{file} holds a row that cannot be read ({why}): {str(row)[:200]}. {FORM}")


def _source(said: Any) -> tuple[str, str]:
    """Page and section of `page, section`, or of a mapping that names both."""
    if not isinstance(said, str):
        return said["page"], said["section"]
    page, comma, section = said.partition(", ")
    if not comma:
        raise ValueError(f"the source {said!r} does not read 'page, section'")
    return page, section


FORM = "CONTRIBUTING.md shows the form."

_ROW_MEMBERS = {"id", "level", "statement", "source", "operations", "needs", "subject"}
