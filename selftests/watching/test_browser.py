"""A HAR file that a real browser's traffic was recorded in, judged. A missing browser is a failure, no skip."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

from meshi_reference import server
from meshi_reference.settings import Settings

from .test_recordings import failed, held, judged

CALLS = """async ([base, key]) => {
  const headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"};
  const call = async (method, path, body) =>
    (await fetch(base + path, {method, headers, body: body && JSON.stringify(body)})).json();
  const start = {idempotency_key: "key-1", attendees: [{attendee_id: "a-1", name: "Ada Berg"}]};
  await call("GET", "/auth");
  await call("POST", "/events", {event_id: "browser-1", title: "From a browser, é"});
  await call("GET", "/events/browser-1");
  await call("GET", "/events/nowhere");
  await call("GET", "/events?limit=2");
  const run = await call("PUT", "/events/browser-1/attendees:import", start);
  for (let status = ""; status != "succeeded"; )
    status = (await call("GET", "/runs/" + run.run_id)).status;
  await call("PUT", "/events/browser-1/attendees:import", start);
  await call("GET", "/events/browser-1/attendees");
}"""


def test_what_a_browser_did_is_judged(tmp_path: Path) -> None:
    program = shutil.which("chromium")
    assert program, "This test needs Chromium: install the system's package `chromium`."
    file = tmp_path / "browser.har"
    with server.running(Settings()) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(record_har_path=file, record_har_content="embed")
        page = context.new_page()
        page.goto(f"{address.base}/nowhere")
        page.evaluate(CALLS, [address.base, address.env["MESHI_KEY"]])
        context.close()
        browser.close()
    code, document = judged(tmp_path, file, options=("--complete",))
    assert (code, failed(document)) == (0, [])
    for name in (
        *("events.read_back.title", "events.text", "idempotency.replay.same_run.importAttendees", "json.getAuth"),
        *("idempotency.replay.after_end.importAttendees", "runs.idempotency_key", "attendees.display_name"),
        *("error.getEvent.EVENT_NOT_FOUND", "routes.unknown.envelope"),
    ):
        assert held(document).get(name), name
