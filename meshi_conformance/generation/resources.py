"""What generated calls may name: the prepared world's real resources, and fresh names for new ones."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import Any

from ..client.call import Call
from ..contract.contract import Contract
from ..errors import Inconclusive
from ..testing.arrange import Given
from ..testing.shared_data import World
from ..watching.expectations.expectation import EMAIL, ID, LINKEDIN, SLUG, Known, is_ordinary

REAL_OF = 8
"""One in so many well-formed path parameters is left as it was made up, so that unknown IDs are asked for too."""

GONE = "gone"
"""In place of the review for calls to be refused, once one of them was accepted and no other is left."""

CREATES = {"createEvent": "event_id", "createSession": "session_id"}


class Resources:
    """Real resources by operation, found once for a test. Raise SetupFailed where the world lacks them."""

    def __init__(self, operation: str, given: Given, world: World, contract: Contract) -> None:
        self._given = given
        self._operation = contract.operations[operation]
        self._has_path = bool(self._operation.path_parameters())
        self.reviews: list[str] = []
        self.pairs: list[list[str]] = []
        self._refused = ""
        self._spent: set[str] = set()
        if operation == "resolveReview":
            self.reviews = list(world.generated_reviews.reviews)
            self._refused = self.reviews.pop()
        elif operation == "mergeReview":
            merge = world.generated_merge
            self.reviews, self.pairs = list(merge.reviews), [list(pair) for pair in merge.pairs]
            self._refused = world.generated_reviews.reviews[-1]
        self._paths = [] if self.decides else list(_paths(operation, world))
        self.match_runs: list[str] = []
        self.sessions: list[str] = []
        if operation in ("listEventMatches", "listAttendeeMatches"):
            self.match_runs = [world.matched.run_id, world.rematched.run_id]
        if operation == "getMatch":
            self.match_runs = [world.rematched.run_id]
        if operation == "listEventMatches":
            self.sessions = list(world.sessions.ids)
        self._turn = itertools.count()

    @property
    def decides(self) -> bool:
        """Whether an accepted call uses up what it names."""
        return bool(self._refused)

    def known(self) -> Known:
        """Return the resources as the reading rules need them."""
        reviews = [{"review_id": one} for one in (*self.reviews, self._refused) if one != GONE]
        return Known(
            paths={self._operation.id: reviews if self.decides else self._paths},
            match_runs=frozenset(self.match_runs),
            sessions=frozenset(self.sessions),
            merges=frozenset((one, other) for pair in self.pairs for one, other in (pair, pair[::-1])),
        )

    def dressed(self, call: Call, wanted: bool) -> Call:
        """Fill in real resources where the call names well-formed ones, and new names where it names new ones.

        `wanted` says that it should be accepted: only such calls may use up a review.
        """
        turn = next(self._turn)
        real = turn % REAL_OF != REAL_OF - 1 or (wanted and self.decides)
        call = call.replace(path=self._path(call, real, wanted, turn), query=self._query(call, real, turn))
        if isinstance(call.body, dict):
            call = call.replace(body=self._body(call, real))
        return call

    def fresh(self, call: Call) -> Call:
        """Give new names to what the call creates: the same ID cannot be created twice."""
        return call.replace(body=self._body(call, False)) if isinstance(call.body, dict) else call

    def _path(self, call: Call, real: bool, wanted: bool, turn: int) -> dict[str, str]:
        if not self._has_path:
            return {}
        malformed = {name: value for name, value in call.path.items() if not self._fits(name, value)}
        if self.decides:
            if malformed:
                return dict(call.path)
            chosen = self.reviews[0] if wanted and self.reviews else self._refused
            return {"review_id": chosen} if real or wanted else self._unknown(call.path)
        if real or malformed:
            return {**self._paths[turn % len(self._paths)], **malformed}
        if len(call.path) == 1 or turn % 2:
            return self._unknown(call.path)
        # Below a real event, or with a real kind: only the last ID is unknown.
        first, *rest = self._paths[turn % len(self._paths)].items()
        return {**dict([first]), **self._unknown({name: call.path[name] for name, _ in rest})}

    def _fits(self, name: str, value: str) -> bool:
        schema = next(one["schema"] for one in self._operation.path_parameters() if one["name"] == name)
        return bool(
            re.fullmatch(schema["pattern"].removesuffix("$"), value) if "pattern" in schema else ID.fullmatch(value)
        )

    def _unknown(self, path: Any) -> dict[str, str]:
        """Return well-formed IDs that cannot exist: they carry the run's name."""
        return {name: value if name == "kind" else self._named(value) for name, value in path.items()}

    def _named(self, value: str) -> str:
        """Return a new ID that ends as the generated one does; as long, where that one is as long as allowed."""
        name = self._given.name("gen")
        return f"{name}{'.' if len(value) < 64 else 'x' * max(0, len(value) - 2 * len(name))}{value[-len(name) :]}"[
            :128
        ]

    def _query(self, call: Call, real: bool, turn: int) -> dict[str, Any]:
        query = dict(call.query)
        for name, values in (("run_id", self.match_runs), ("session_id", self.sessions)):
            value = query.get(name)
            if isinstance(value, str) and ID.fullmatch(value) and values and (real or turn % 2):
                query[name] = values[turn % len(values)]
        return query

    def _body(self, call: Call, real: bool) -> dict[str, Any]:
        body = {**call.body}
        token = secrets.token_hex(4)
        created = CREATES.get(call.operation)
        if created and isinstance(body.get(created), str) and ID.fullmatch(body[created]):
            body[created] = self._named(body[created])
        if isinstance(body.get("url_slug"), str) and SLUG.fullmatch(body["url_slug"]):
            body["url_slug"] = _ending(body["url_slug"], token, 128)
        if isinstance(body.get("idempotency_key"), str) and body["idempotency_key"].strip():
            body["idempotency_key"] = _ending(body["idempotency_key"], f"-{secrets.token_hex(8)}", 36)
        if isinstance(body.get("attendees"), list):
            body["attendees"] = self._rows(body["attendees"])
        if call.operation == "mergeReview":
            self._merge(body, real)
        return body

    def _rows(self, rows: list[Any]) -> list[Any]:
        """Return rows with new IDs, equal where they were equal, of people who look like no other attendee."""
        names: dict[str, str] = {}
        found = []
        for row in rows:
            if isinstance(row, dict):
                row = {**row}
                token = secrets.token_hex(4)
                one = row.get("attendee_id")
                if isinstance(one, str) and ID.fullmatch(one):
                    row["attendee_id"] = names.setdefault(one, self._named(one))
                if isinstance(row.get("email"), str) and EMAIL.fullmatch(row["email"]):
                    row["email"] = (
                        f"{token}{row['email']}" if not row["email"][0].isalpha() else f"c{token}{row['email'][1:]}"
                    )
                if isinstance(row.get("linkedin_url"), str) and LINKEDIN.fullmatch(row["linkedin_url"]):
                    row["linkedin_url"] = _ending(row["linkedin_url"], token, 100)
                for name, most in (("name", 240), ("company", 512)):
                    text = row.get(name)
                    if isinstance(text, str) and text.strip() and is_ordinary(text) and len(text) <= most:
                        row[name] = _ending(text, f" {token}", most)
            found.append(row)
        return found

    def _merge(self, body: dict[str, Any], real: bool) -> None:
        if not real:
            for name in ("source_partner_id", "target_partner_id"):
                if isinstance(body.get(name), str) and ID.fullmatch(body[name]):
                    body[name] = self._named(body[name])
            return
        source, target = self.pairs[0] if self.pairs else ("", "")
        for name, value in (("source_partner_id", source), ("target_partner_id", target)):
            if isinstance(body.get(name), str) and ID.fullmatch(body[name]) and value:
                body[name] = value
        for name in ("source_kind", "target_kind"):
            if isinstance(body.get(name), str) and body[name].isalnum():
                body[name] = "attendee"

    def used(self, call: Call) -> None:
        """Take a review off the list once a decision on it was accepted, whatever was to come of it."""
        review = call.path.get("review_id", "")
        self._spent.add(review)
        if review in self.reviews:
            self.reviews.remove(review)
            self.pairs = []
        elif review == self._refused and self.decides:
            # What was to be refused has used it up: another one takes its place, or nothing is left to refuse on.
            self._refused = self.reviews.pop() if self.reviews else GONE

    def redirected(self, call: Call, kind: str) -> Call | None:
        """Point a call that would use up a review at one that may be used up; None where none is left.

        Only bad calls go to the review that stays open.
        """
        if kind == "bad":
            if call.path.get("review_id") in self._spent:
                return None if self._refused == GONE else call.replace(path={"review_id": self._refused})
            return call
        return call.replace(path={"review_id": self.reviews[0]}) if self.reviews else None


def _ending(text: str, token: str, most: int) -> str:
    """Put a token at the end of a text; no longer than it was, where it is about as long as allowed."""
    if len(text) > most:
        return text
    return text + token if len(text) + len(token) <= most else text[: most - len(token)] + token


def _paths(operation: str, world: World) -> list[dict[str, str]]:
    """Return path parameters with which reading finds something, or below which a call may write."""
    event, people = "event_id", world.people
    if operation in ("createSession", "updateEventContext", "createEnrichmentRun", "createMatchRun"):
        return [{event: world.playground.event_id}]
    if operation == "importAttendees":
        return [{event: world.imports.event_id}]
    if operation == "getIdMapping":
        ids = [("event", world.event.id), *(("session", one) for one in world.sessions.ids)]
        ids += [("attendee", one) for one in people.ids]
        return [{"kind": kind, "partner_id": one} for kind, one in ids]
    if operation == "getSession":
        return [{event: world.sessions.event_id, "session_id": one} for one in world.sessions.ids]
    if operation == "listAttendeeIdentity":
        return [{event: people.event_id, "attendee_id": one} for one in people.ids]
    if operation == "listAttendeeMatches":
        return [{event: world.rematched.event_id, "attendee_id": one} for one in people.ids]
    if operation == "getMatch":
        pair = world.pair
        return [{event: pair.event_id, "principal_partner_id": pair.principal, "target_partner_id": pair.target}]
    if operation == "getRun":
        runs = [world.plain_run.run_id, people.run_id]
        return [{"run_id": one} for one in (*runs, *_run_ids(world))]
    if operation == "listEventMatches":
        return [{event: world.rematched.event_id}]
    if operation in ("getEvent", "getEventContext", "listSessions", "listAttendees", "listEventReviews"):
        return [{event: world.event.id}, {event: world.empty.event_id}]
    return []


def _run_ids(world: World) -> list[str]:
    try:
        return [world.enriched.run_id, world.matched.run_id]
    except Inconclusive:
        return []  # the runs that exist are enough
