"""Single requests: bounds, values, the base and the key (endpoint-reference; overview; errors-and-limits)."""

from __future__ import annotations

from ..story import Step
from .judge import Judge
from .steps import EVERYWHERE

VALUES = frozenset({"decision", "kind", "source_kind", "target_kind"})
"""Members and parameters that take one of the documented values."""


def limit_fault(step: Step) -> str | None:
    """Return what is wrong with the page size that a request asks for."""
    limit = step.query.get("limit")
    if limit is None or step.operation is None or (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= 100):
        return None
    return f"limit is {limit[:20]!r}, not 1 to 100"


class WithinBounds(Judge):
    duty = "client.requests.bounds"
    shown_in = EVERYWHERE

    def asked(self, step: Step) -> None:
        faults = [what for member, what in step.faults if member not in VALUES]
        if step.operation == "listEvents" and limit_fault(step):
            faults.append(str(limit_fault(step)))
        if faults:
            name = step.operation or "A request"
            self.breaks(f"{name} was sent outside the documented bounds: {faults[0]}", step)
        elif step.operation is not None and step.is_write:
            self.keeps(step)


class DocumentedValues(Judge):
    duty = "client.requests.values"
    shown_in = ("reviews", "small_pages", "lost_answer")

    def asked(self, step: Step) -> None:
        faults = [what for member, what in step.faults if member in VALUES]
        if faults:
            self.breaks(f"{step.operation} was sent with an undocumented value: {faults[0]}", step)
        elif VALUES & step.facts.members.keys() or ("kind" in step.query and step.operation == "listRuns"):
            self.keeps(step)


class DocumentedOperations(Judge):
    duty = "client.requests.operations"
    shown_in = EVERYWHERE

    def asked(self, step: Step) -> None:
        if step.base == "other" or step.method == "OPTIONS":
            return  # browsers and health checks look around by themselves
        if step.operation is None:
            self.breaks(f"{step.method} {step.path.partition('?')[0][:100]} is not a documented operation", step)
        else:
            self.keeps(step)


class CurrentBase(Judge):
    duty = "client.requests.base"
    shown_in = EVERYWHERE

    def asked(self, step: Step) -> None:
        if step.base == "alias":
            self.breaks("A request went to the legacy base /v0/partner, not to the base that was given", step)
        elif step.base == "current":
            self.keeps(step)


class PageSize(Judge):
    duty = "client.requests.page_size"
    shown_in = EVERYWHERE

    def asked(self, step: Step) -> None:
        if step.operation is None or "limit" not in step.query or step.operation == "listEvents":
            return
        fault = limit_fault(step)
        if fault:
            self.breaks(f"{step.operation}: {fault}", step)
        else:
            self.keeps(step)


class KeyInHeader(Judge):
    duty = "client.key.header"
    shown_in = EVERYWHERE

    def asked(self, step: Step) -> None:
        if step.base == "other" or step.method == "OPTIONS":
            return
        if step.authorized:
            self.keeps(step)
        else:
            self.breaks("A request does not carry the key as `Authorization: Bearer`", step)


class KeyNowhereElse(Judge):
    duty = "client.key.nowhere_else"
    shown_in = EVERYWHERE

    def asked(self, step: Step) -> None:
        if step.key_in:
            self.breaks(f"The key appears in {step.key_in[0]}", step)
        elif step.authorized:
            self.keeps(step)
