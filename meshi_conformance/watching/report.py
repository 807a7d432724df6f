"""From a watcher to a report: the records that are evidence, without keys, and the document."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..contract.requirements import CLIENT, SERVER
from ..exchanges.exchange import Exchange
from ..exchanges.redaction import Redaction
from ..report.document import observed
from ..target.targets_file import HOSTED
from ..verdicts.verdicts import RequirementVerdict
from ..verdicts.waivers import Waiver
from .watcher import Watcher


def document(
    watcher: Watcher,
    base: str,
    sources: Sequence[str],
    *,
    keys: Mapping[str, str],
    notes: Sequence[str] = (),
    waived: Sequence[Waiver] = (),
    clients: tuple[Sequence[RequirementVerdict], Mapping[str, Exchange]] | None = None,
) -> dict[str, Any]:
    """Build the results document of what a watcher saw; with `clients` that of the clients' duties in its place.

    `clients` are the verdicts on the duties, and the exchanges that may be evidence. `keys` maps the name of
    each key to its value, which is taken out of everything that is kept.
    """
    redaction = Redaction({name: key for name, key in keys.items() if not key.startswith("$")})
    traffic, now = watcher.traffic, time.time()
    verdicts, evidence = clients or (watcher.verdicts(), watcher.evidence)
    for one in verdicts:
        one.reason = redaction.text(one.reason)
        one.violations = [(exchange, redaction.text(message)) for exchange, message in one.violations]
    seen = observed.Observed(
        name=next((name for name, url in HOSTED.items() if url == base), base or "unknown"),
        base=base,
        sources=sources,
        complete=watcher.complete,
        began=traffic.began or now,
        ended=traffic.ended or now,
        count=traffic.count,
        rate_limited=traffic.rate_limited,
        statuses=traffic.statuses,
        milliseconds=traffic.milliseconds,
        drift={(name, redaction.text(member)): first for (name, member), first in traffic.drift.items()},
        evidence={id: one.record(redaction) for id, one in evidence.items()},
        held={} if clients else watcher.tally.held,
        unjudged=dict(watcher.tally.unjudged.most_common()),
        keys=sorted(keys),
        notes=notes,
    )
    return observed.build(watcher.contract, seen, verdicts, waived, CLIENT if clients else SERVER)
