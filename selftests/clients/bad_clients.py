"""One bad client for each duty: the example with a few words changed, and the scenarios in which that shows.

`also` names duties that break with it, because one cause breaks both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "client" / "integrate.py"


@dataclass(frozen=True)
class BadClient:
    """A breach: the duty, the words to change in the example, where it shows, and what else it breaks."""

    name: str
    duty: str
    changes: tuple[tuple[str, str], ...]
    scenarios: tuple[str, ...]
    also: tuple[str, ...] = ()

    def source(self) -> str:
        """Return the program. Raises ValueError where the example has not the words that are to be changed."""
        text = EXAMPLE.read_text(encoding="utf-8")
        for old, new in self.changes:
            if old not in text:
                raise ValueError(f"{self.name}: the example does not hold {old!r}")
            text = text.replace(old, new)
        return text


NO_SCOPE_CHECK = (("        confirm_scope(api)\n", ""),)
GO_ON_AFTER_REFUSAL = (
    ('                raise Refused(answer, str(said.get("code")))\n', "                return said\n"),
)

BAD_CLIENTS = (
    BadClient("never looks at /auth", "client.scope.confirmed", NO_SCOPE_CHECK, ("plain",)),
    BadClient(
        "writes although /auth lists no partner:write",
        "client.scope.respected",
        (('    if "partner:write" not in scopes:\n', "    if not scopes:\n"),),
        ("read_only_key",),
    ),
    BadClient(
        "goes on after a 403",
        "client.scope.respected",
        (
            *NO_SCOPE_CHECK,
            (
                '        if refusal.code != "PARTNER_ID_CONFLICT":\n            raise\n        found = api.send("GET", path)\n',
                '        if refusal.status == 403:\n            return path\n        found = api.send("GET", path)\n',
            ),
        ),
        ("read_only_key",),
        ("client.scope.confirmed",),
    ),
    BadClient(
        "does not fetch the event that exists",
        "client.events.existing_fetched",
        (
            ('        found = api.send("GET", path)\n', ""),
            ('        if found["title"] != EVENT["title"]:\n', "        if not path:\n"),
            (": {found['title']}\")", '")'),
        ),
        ("event_exists", "rerun"),
    ),
    BadClient(
        "stops at an event that exists",
        "client.events.existing_used",
        (('        if refusal.code != "PARTNER_ID_CONFLICT":\n', "        if refusal:\n"),),
        ("event_exists", "rerun"),
    ),
    BadClient(
        "creates another event in place of one that exists",
        "client.events.existing_used",
        (
            (
                '        found = api.send("GET", path)\n',
                '        EVENT["event_id"] = f"{EVENT[\'event_id\']}-{time.time_ns()}"\n        return create_event(api)\n',
            ),
            ('        if found["title"] != EVENT["title"]:\n', "        if not path:\n"),
            (": {found['title']}\")", '")'),
        ),
        ("event_exists", "rerun"),
    ),
    BadClient(
        "makes up its event ID",
        "client.ids.stable",
        (('"event_id": "harbour-forum-2031"', '"event_id": f"forum-{time.time_ns()}"'),),
        ("rerun",),
    ),
    BadClient(
        "makes up its attendee IDs",
        "client.ids.stable",
        (('"attendee_id": "guest-2"', '"attendee_id": f"guest-{time.time_ns()}"'),),
        ("rerun",),
    ),
    BadClient(
        "sends a title of 201 characters",
        "client.requests.bounds",
        (('"title": "Harbour Forum",', '"title": "x" * 201,'),),
        ("plain",),
    ),
    BadClient(
        "sends an attendee without a name",
        "client.requests.bounds",
        (('"name": "Cai Diaz", ', ""),),
        ("plain",),
    ),
    BadClient(
        "imports 50,001 people at once",
        "client.requests.bounds",
        (("ATTENDEES = [\n", 'ATTENDEES = [{"attendee_id": f"g{n}", "name": "G"} for n in range(50_001)] or [\n'),),
        ("plain",),
    ),
    BadClient("asks for 51 matches each", "client.requests.bounds", (('"top_n": 10', '"top_n": 51'),), ("plain",)),
    BadClient(
        "decides with a word of its own",
        "client.requests.values",
        (('"decision": "distinct"', '"decision": "keep-both"'),),
        ("reviews",),
    ),
    BadClient(
        "asks for a route of its own",
        "client.requests.operations",
        (
            (
                "        confirm_scope(api)\n",
                '        confirm_scope(api)\n        try:\n            api.send("GET", "/me")\n        except Refused:\n            pass\n',
            ),
        ),
        ("plain",),
    ),
    BadClient(
        "uses the legacy base",
        "client.requests.base",
        (('os.environ["MESHI_BASE"].rstrip("/")', 'os.environ["MESHI_BASE"].replace("/api/v0", "/v0")'),),
        ("plain",),
    ),
    BadClient(
        "asks for pages of 500",
        "client.requests.page_size",
        (('run_id=run_id, limit="50"', 'run_id=run_id, limit="500"'),),
        ("plain",),
    ),
    BadClient(
        "sends its key as X-Api-Key",
        "client.key.header",
        (('"Authorization": f"Bearer {key}"', '"X-Api-Key": key'),),
        ("plain",),
        ("client.key.nowhere_else",),
    ),
    BadClient(
        "sends its key in the URL too",
        "client.key.nowhere_else",
        (("params=query or None", 'params={**query, "api_key": os.environ["MESHI_KEY"]}'),),
        ("plain",),
    ),
    BadClient(
        "has one key for everything",
        "client.idempotency.own_key",
        (
            (
                "    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:40]",
                '    return "the-key"',
            ),
        ),
        ("plain",),
    ),
    BadClient(
        "makes a new key for each try",
        "client.idempotency.key_kept",
        (
            ("        for _ in range(TRIES):\n", "        for _ in range(TRIES):\n            body = fresh(body)\n"),
            (
                "def key_for(",
                'def fresh(body: Any) -> Any:\n    return {**body, "idempotency_key": os.urandom(8).hex()} if body and "idempotency_key" in body else body\n\n\ndef key_for(',
            ),
        ),
        ("unavailable", "rate_limited", "lost_answer"),
        ("client.retries.one_effect",),
    ),
    BadClient(
        "changes the body of a repeated request",
        "client.idempotency.equal_body",
        (
            (
                "        for _ in range(TRIES):\n",
                "        for number in range(TRIES):\n            body = marked(body, number)\n",
            ),
            (
                "def key_for(",
                'def marked(body: Any, number: int) -> Any:\n    if not body or "attendees" not in body:\n        return body\n    return {**body, "attendees": [{**row, "raw_data": {"attempt": number}} for row in body["attendees"]]}\n\n\ndef key_for(',
            ),
        ),
        ("unavailable", "lost_answer"),
    ),
    BadClient(
        "creates a second event where the answer was lost",
        "client.retries.one_effect",
        (
            (
                "        for _ in range(TRIES):\n",
                "        for number in range(TRIES):\n            body = renamed(body, number)\n",
            ),
            (
                "def key_for(",
                'def renamed(body: Any, number: int) -> Any:\n    if not body or "event_id" not in body or not number:\n        return body\n    EVENT["event_id"] = f"harbour-forum-2031-{number}"\n    return dict(EVENT)\n\n\ndef key_for(',
            ),
        ),
        ("lost_answer",),
    ),
    BadClient(
        "ends at the first lost answer",
        "client.retries.lost_answer",
        (
            (
                "                time.sleep(pause)\n                pause *= 2\n                continue\n",
                '                raise Stop("no answer") from None\n',
            ),
        ),
        ("lost_answer",),
    ),
    BadClient(
        "ends at the first 503",
        "client.retries.unavailable",
        (
            (
                "            elif answer.status_code >= 500:\n                time.sleep(pause)\n                pause *= 2\n",
                "",
            ),
        ),
        ("unavailable",),
    ),
    BadClient(
        "does not wait after a 429",
        "client.rate_limit.waits",
        (
            ('time.sleep(seconds_to_wait(answer.headers.get("retry-after")))', "time.sleep(0.05)"),
            ("TRIES = 5", "TRIES = 200"),
        ),
        ("rate_limited",),
    ),
    BadClient(
        "waits a second, whatever Retry-After says",
        "client.rate_limit.waits",
        (
            ('time.sleep(seconds_to_wait(answer.headers.get("retry-after")))', "time.sleep(1)"),
            ("TRIES = 5", "TRIES = 20"),
        ),
        ("rate_limited",),
    ),
    BadClient(
        "reads a date in Retry-After as nothing",
        "client.rate_limit.waits",
        (
            (
                "    return max(email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)\n",
                "    return 0.2\n",
            ),
            ("TRIES = 5", "TRIES = 50"),
        ),
        ("rate_limited",),
    ),
    BadClient(
        "polls no run",
        "client.runs.polled",
        (
            (
                '        while run["status"] not in TERMINAL:\n            if time',
                "        while False:\n            if time",
            ),
        ),
        ("plain",),
    ),
    BadClient(
        "does not poll its import",
        "client.runs.polled",
        (
            (
                '    run = api.ended(api.send("PUT", f"{event}/attendees:import", body))',
                '    run = api.send("PUT", f"{event}/attendees:import", body)',
            ),
        ),
        ("plain",),
    ),
    BadClient(
        "takes whatever is neither queued nor running for the end",
        "client.runs.unknown_status",
        (('while run["status"] not in TERMINAL', 'while run["status"] in ("queued", "running")'),),
        ("slow_runs",),
    ),
    BadClient(
        "stops at a status that it does not know",
        "client.runs.unknown_status",
        (
            (
                "            if time.monotonic() > deadline:\n",
                '            if run["status"] not in ("queued", "running"):\n                raise Stop(run["status"])\n            if time.monotonic() > deadline:\n',
            ),
        ),
        ("slow_runs",),
    ),
    BadClient(
        "does not take partial for an end",
        "client.runs.ends_recognised",
        (
            ('TERMINAL = ("succeeded", "partial", "failed")', 'TERMINAL = ("succeeded", "failed")'),
            ("RUN_SECONDS = 900", "RUN_SECONDS = 4"),
        ),
        ("partial_import",),
    ),
    BadClient(
        "matches after a failed import",
        "client.runs.failed_import",
        (("        raise Stop(f\"the import failed: {run['error']}\")", "        print(run['error'])"),),
        ("failed_import",),
    ),
    BadClient(
        "polls without a pause",
        "client.polls.no_burst",
        (
            (
                "                time.sleep(pause)\n                pause = min(2 * pause, LONGEST_PAUSE)\n",
                "                pass\n",
            ),
        ),
        ("slow_runs",),
        ("client.polls.growing",),
    ),
    BadClient(
        "polls every fifth of a second",
        "client.polls.no_burst",
        (
            (
                "                time.sleep(pause)\n                pause = min(2 * pause, LONGEST_PAUSE)\n",
                "                time.sleep(0.2)\n",
            ),
        ),
        ("slow_runs",),
        ("client.polls.growing",),
    ),
    BadClient(
        "polls every second",
        "client.polls.growing",
        (
            (
                "                time.sleep(pause)\n                pause = min(2 * pause, LONGEST_PAUSE)\n",
                "                time.sleep(1)\n",
            ),
        ),
        ("slow_runs",),
    ),
    BadClient(
        "quotes cursors once more",
        "client.pages.verbatim",
        (
            (
                '            cursor = page["next_cursor"]\n',
                '            cursor = page["next_cursor"] and quote(page["next_cursor"])\n',
            ),
        ),
        ("small_pages",),
    ),
    BadClient(
        "pastes cursors into the URL",
        "client.pages.verbatim",
        (
            (
                '            page = self.send("GET", path, **query, **({} if cursor is None else {"cursor": cursor}))\n',
                '            pasted = "" if cursor is None else "?limit=50&run_id=" + query.get("run_id", "") + "&cursor=" + cursor\n'
                '            page = self.send("GET", path + pasted, **({} if pasted else query))\n',
            ),
        ),
        ("small_pages",),
        ("client.pages.same_filters",),
    ),
    BadClient(
        "decodes cursors",
        "client.pages.to_the_end",
        (
            (
                '            cursor = page["next_cursor"]\n',
                '            cursor = page["next_cursor"]\n            if cursor:\n                json.loads(base64.b64decode(cursor, validate=True))\n',
            ),
            ("import email.utils\n", "import base64\nimport email.utils\n"),
        ),
        ("small_pages",),
    ),
    BadClient(
        "forgets the filter on the second page",
        "client.pages.same_filters",
        (
            (
                '            page = self.send("GET", path, **query, **({} if cursor is None else {"cursor": cursor}))\n',
                '            page = self.send("GET", path, **(query if cursor is None else {"limit": "50", "cursor": cursor}))\n',
            ),
        ),
        ("small_pages",),
    ),
    BadClient(
        "reads the first page alone",
        "client.pages.to_the_end",
        (("            if cursor is None:\n                return\n", "            return\n"),),
        ("small_pages",),
    ),
    BadClient(
        "logs no correlation ID",
        "client.correlation.logged",
        ((" correlation_id={correlation_id}", ""),),
        ("plain",),
    ),
    BadClient(
        "logs the correlation IDs of refusals alone",
        "client.correlation.logged",
        (
            (
                '        print(f"{request.method}',
                '        if answer.status_code >= 400:\n            print(f"{request.method}',
            ),
        ),
        ("plain",),
    ),
    BadClient(
        "refuses members that it does not know",
        "client.answers.undocumented_members",
        (
            (
                "        return said if isinstance(said, dict) else {}\n",
                '        if "tier" in said:\n            raise ValueError("unknown member tier")\n        return said\n',
            ),
        ),
        ("grown",),
    ),
    BadClient(
        "ends with 0 where its import failed",
        "client.exit_code",
        (("        return 1\n    return 0\n", "        return 0\n    return 0\n"),),
        ("failed_import",),
    ),
    BadClient(
        "ends with 0 where its key may not write",
        "client.exit_code",
        (("        return 1\n    return 0\n", "        return 0\n    return 0\n"),),
        ("read_only_key",),
    ),
    BadClient(
        "ends with 1 where all is well",
        "client.exit_code",
        (("        return 1\n    return 0\n", "        return 1\n    return 1\n"),),
        ("plain",),
    ),
    BadClient(
        "passes over the context that was refused with 503",
        "client.exit_code",
        (
            (
                '        api.send("POST", f"{event}/context", CONTEXT)\n',
                '        answer = api._http.post(api._base + event + "/context", json=CONTEXT)\n        api._log(answer)\n',
            ),
        ),
        ("unavailable",),
    ),
)
