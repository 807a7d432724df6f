"""Webhooks are accepted and echoed, and not delivered: watched where the suite can listen."""

from __future__ import annotations

from meshi_conformance.testing.marks import requirement
from meshi_conformance.testing.shared_data import World


@requirement("webhooks.not_delivered")
def test_a_webhook_is_never_called(world: World) -> None:
    requests = world.webhook.requests
    assert not requests, f"the webhook was called: {requests}"
