"""What one exchange of a recording shows: what the call deserved, whose key it carried, which route it took."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .hars import created, entry, event, refused, write
from .test_recordings import failed, held, judged


def test_a_bad_call_that_is_accepted_breaks_the_bound(tmp_path: Path) -> None:
    request = event(title="x" * 201)
    code, document = judged(tmp_path, write(tmp_path, entry("createEvent", 201, created(request), request=request)))
    assert (code, failed(document)) == (1, ["limits.createEvent.title"])


def test_a_bad_call_that_is_refused_rightly_holds_the_bound(tmp_path: Path) -> None:
    file = write(tmp_path, refused("createEvent", 400, "INVALID_TITLE", request=event(title="x" * 201)))
    code, document = judged(tmp_path, file)
    assert (code, failed(document)) == (0, [])
    assert held(document)["limits.createEvent.title"] == 1


@pytest.mark.parametrize(("status", "code"), [(400, "INVALID_DESCRIPTION"), (422, "INVALID_TITLE")])
def test_a_wrong_refusal_is_told(status: int, code: str, tmp_path: Path) -> None:
    file = write(tmp_path, refused("createEvent", status, code, request=event(title="x" * 201)))
    assert "limits.createEvent.title" in failed(judged(tmp_path, file)[1])


def test_a_good_call_that_is_refused_is_told(tmp_path: Path) -> None:
    _, document = judged(tmp_path, write(tmp_path, refused("createEvent", 400, "INVALID_TITLE", request=event())))
    assert failed(document) == ["limits.createEvent.title"]
    refusal = refused("createEvent", 400, "INVALID_JSON", request=event())
    assert failed(judged(tmp_path, write(tmp_path, refusal))[1]) == ["generated.accepts.createEvent"]


@pytest.mark.parametrize(("status", "code"), [(409, "PARTNER_ID_CONFLICT"), (403, "INSUFFICIENT_SCOPE")])
def test_a_good_call_may_be_refused_for_what_is_not_in_it(status: int, code: str, tmp_path: Path) -> None:
    code_, document = judged(tmp_path, write(tmp_path, refused("createEvent", status, code, request=event())))
    assert (code_, failed(document)) == (0, [])


@pytest.mark.parametrize(
    "members", [{"description": ""}, {"url_slug": "Föö Bär"}, {"x": 1}, {"start_date": "1.9.2026"}]
)
def test_what_the_pages_leave_open_is_not_judged(members: dict[str, Any], tmp_path: Path) -> None:
    request = event(**members)
    for one in (
        refused("createEvent", 400, "INVALID_TITLE", request=request),
        entry("createEvent", 201, created(event()), request=request),
    ):
        code, document = judged(tmp_path, write(tmp_path, one))
        assert (code, failed(document)) == (0, [])


def test_half_a_surrogate_pair_may_be_no_json(tmp_path: Path) -> None:
    for code in ("INVALID_JSON", "INVALID_PARTNER_ID"):
        file = write(tmp_path, refused("createEvent", 400, code, request=event("a\ud800b")))
        assert failed(judged(tmp_path, file)[1]) == []


def test_what_is_refused_at_the_servers_choice_may_have_any_code(tmp_path: Path) -> None:
    plain = refused("createEvent", 415, "UNSUPPORTED_MEDIA_TYPE", request=event())
    plain["request"]["headers"][0]["value"] = "text/plain"
    odd = refused("createEvent", 422, "NO_SUCH_ZONE", request=event(timezone="Moon/Tycho"), at=1)
    assert failed(judged(tmp_path, write(tmp_path, plain, odd))[1]) == []
    known = refused("createEvent", 422, "NO_SUCH_EVENT", request=event(), at=1)
    assert failed(judged(tmp_path, write(tmp_path, known))[1]) == ["codes.createEvent"]


def test_a_call_without_a_key_is_to_be_refused(tmp_path: Path) -> None:
    file = write(tmp_path, entry("getAuth", 200), entry("listEvents", 200, key=None, at=1))
    assert failed(judged(tmp_path, file)[1]) == ["auth.listEvents"]


def test_a_recorder_that_takes_keys_out_shows_no_call_without_one(tmp_path: Path) -> None:
    code, document = judged(tmp_path, write(tmp_path, entry("listEvents", 200, key=None)))
    assert (code, failed(document)) == (0, [])
    masked = write(tmp_path, entry("getAuth", 200), entry("listEvents", 200, key="[REDACTED]", at=1))
    assert failed(judged(tmp_path, masked)[1]) == []


def test_a_key_that_is_refused_before_and_after_is_refused_meanwhile(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        refused("getAuth", 401, "UNAUTHORIZED", key="made-up", at=1),
        entry("listEvents", 200, key="made-up", at=2),
        refused("listRuns", 401, "UNAUTHORIZED", key="made-up", at=3),
    )
    assert failed(judged(tmp_path, file)[1]) == ["auth.listEvents"]


def test_a_key_that_works_from_some_moment_on_is_no_violation(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        refused("getAuth", 401, "UNAUTHORIZED", at=1),
        entry("listEvents", 200, at=2),
        entry("listRuns", 200, at=3),
    )
    assert failed(judged(tmp_path, file)[1]) == []


def test_a_key_that_reads_elsewhere_reads_everywhere(tmp_path: Path) -> None:
    file = write(tmp_path, entry("listEvents", 200, at=1), refused("listRuns", 403, "INSUFFICIENT_SCOPE", at=2))
    assert failed(judged(tmp_path, file)[1]) == ["scope.listRuns"]


def test_a_correlation_id_that_was_sent_comes_back(tmp_path: Path) -> None:
    sent = {"X-Correlation-ID": "client-id-0001"}
    right = entry("getAuth", 200, sent=sent, correlation="client-id-0001")
    wrong = entry("getAuth", 200, sent=sent, correlation="another-id-0001", at=1)
    assert failed(judged(tmp_path, write(tmp_path, right))[1]) == []
    found = failed(judged(tmp_path, write(tmp_path, wrong))[1])
    assert found == ["correlation.getAuth", "correlation.echo.success", "correlation.echo.forms"]


def test_the_server_makes_no_correlation_id_twice(tmp_path: Path) -> None:
    answers = [entry("getAuth", 200, correlation="one-and-the-same", at=1)]
    answers.append(entry("listEvents", 200, correlation="one-and-the-same", at=2))
    assert failed(judged(tmp_path, write(tmp_path, *answers))[1]) == ["correlation.unique"]


def test_a_path_that_nobody_documented_is_refused_in_the_envelope(tmp_path: Path) -> None:
    page = refused("getAuth", 404, "NOT_FOUND", path="/nowhere")
    plain = entry("getAuth", 404, "Not found", path="/nowhere", at=1)
    more = entry("getAuth", 200, {"status": "ok"}, path="/health", at=2)
    assert failed(judged(tmp_path, write(tmp_path, page, more))[1]) == []
    found = failed(judged(tmp_path, write(tmp_path, plain))[1])
    assert found == ["routes.unknown.envelope", "routes.unknown.correlation"]
