"""From a watcher to a report: the records that are evidence, without keys, and the document."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..exchanges.redaction import Redaction
from ..report.document import observed
from ..target.targets_file import HOSTED
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
) -> dict[str, Any]:
    """Build the results document of what a watcher saw.

    `keys` maps the name of each key to its value, which is taken out of everything that is kept.
    """
    redaction = Redaction({name: key for name, key in keys.items() if not key.startswith("$")})
    traffic, now = watcher.traffic, time.time()
    verdicts = watcher.verdicts()
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
        evidence={id: one.record(redaction) for id, one in watcher.evidence.items()},
        held=watcher.tally.held,
        unjudged=dict(watcher.tally.unjudged.most_common()),
        keys=sorted(keys),
        notes=notes,
    )
    return observed.build(watcher.contract, seen, verdicts, waived)
