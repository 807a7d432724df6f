"""What the report has to say of the choices that a variation makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshi_reference.variations.default import CHOICES
from meshi_reference.variations.registry import Variation

UNSEEN = {
    "attendees.body_limit": "it takes 50,000 rows, which are sent with --large alone",
    "lists.filter_change": "it takes a walk that no new row shifts, and a cursor that counts rows is shifted by each",
    "rate_limit.wait_form": "it takes a 429, and most servers of a trial have no rate limit",
}
"""Open questions of which a trial need not see a choice, and why."""


SHOWN_BY: tuple[str, ...] = (
    "tests/test_open_questions.py",
    "tests/test_webhooks.py",
    "tests/test_events.py::test_a_detail_of_an_event_is_read_as_it_was_written",
    "tests/test_events.py::test_details_that_were_left_out_are_null",
    "tests/test_events.py::test_ids_that_differ_in_case_are_two_events",
    "tests/test_correlation.py::test_an_unusual_id_is_the_same_in_header_and_body",
    "tests/test_attendees.py::test_every_imported_attendee_is_listed",
    "tests/test_matching.py::test_a_missing_match_run_earns_its_code",
    "tests/test_matching.py::test_a_match_with_oneself_is_no_server_error",
    "tests/test_paging.py::test_an_odd_limit_is_refused_or_served_with_a_page",
    "tests/test_paging.py::test_a_cursor_never_issued_is_refused_or_served_with_a_page",
    "tests/test_paging.py::test_a_page_holds_fifty_rows_where_no_limit_is_given",
    "tests/test_paging.py::test_sessions_are_ordered_by_the_moment_they_start",
    "tests/test_paging.py::test_new_runs_do_not_disturb_a_walk",
    "tests/test_lists.py::test_large_pages_show_every_attendee_once",
    "tests/test_operations.py::test_a_valid_call_is_accepted_with_the_documented_answer",
    "tests/test_operations.py::test_a_refusal_is_the_error_envelope",
    "tests/test_keys.py::test_a_key_without_an_org_is_refused",
    "tests/test_keys.py::test_another_org_sees_and_changes_nothing_of_ours",
    "tests/test_limits.py::test_a_row_needs_an_attendee_id",
    "tests/test_limits.py::test_a_field_is_accepted_up_to_its_bound_and_refused_past_it",
    "tests/test_limits.py::test_a_field_of_a_decision_is_accepted_up_to_its_bound_and_refused_past_it",
    "tests/test_limits.py::test_an_id_in_a_path_is_accepted_up_to_its_bound_and_refused_past_it",
    "tests/test_limits.py::test_what_looks_like_a_path_is_no_id",
    "tests/test_sessions.py::test_a_session_id_is_taken_in_every_event_of_the_org",
    "tests/test_idempotency.py::test_a_replay_brings_back_the_run_of_the_first_call",
    "tests/test_idempotency.py::test_a_refused_request_does_not_use_up_its_key",
    "tests/test_idempotency.py::test_first_calls_at_the_same_moment_start_one_run",
    "tests/test_imports.py::test_a_replay_with_other_rows_imports_none_of_them",
    "tests/test_errors.py::test_each_mistake_earns_its_code[importAttendees-INVALID_ATTENDEE]",
    "tests/test_context.py::test_an_update_may_hold_one_field_alone",
    "tests/test_identity.py::test_a_merge_that_makes_no_sense_is_rejected",
    "tests/test_routes.py",
)
"""Tests whose exchanges show a choice of every open question, as far as a trial can: a small part of the suite."""


def misread(entry: Variation, behaviours: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a report says otherwise of the choices that a variation makes.

    The report must name no choice but the variation's: its own, and in all other questions the default server's. Its
    own choices have to be named; of the default server, all.
    """
    own: dict[str, str] = dict(choice.split("=") for choice in entry.makes)
    if entry.name != "default":
        # Beside another variation the default server's choices need not be seen.
        own = {question: choice for question, choice in own.items() if CHOICES.get(question) != choice}
    return [
        said
        for row in behaviours
        if (said := _misread(row, own.get(row["question"]), CHOICES.get(row["question"], "nothing known")))
    ]


def _misread(row: Mapping[str, Any], own: str | None, default: str) -> str:
    expected = default if own is None else own
    if "problem" in row:
        return f"{row['question']}: {row['problem']}"
    wrong = [one for one in row["seen"] if one["choice"] != expected]
    if wrong:
        shown = "; ".join(f"{one['choice']} ({one['shown']})" for one in wrong)
        return f"{row['question']} is {expected}, and the report names {shown}"
    if own is not None and not row["seen"] and row["question"] not in UNSEEN:
        return f"{row['question']} is {expected}, and the report names no choice"
    return ""
