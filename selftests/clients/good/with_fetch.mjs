// A good client on Node's fetch: keys from content, polls after the first pause, a run found by the list after a lost answer.
import { createHash } from "node:crypto";

const { MESHI_BASE: base, MESHI_KEY: key } = process.env;
const start = 1000 * Number(process.env.POLL_SECONDS ?? 2);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const keyOf = (...parts) => createHash("sha1").update(JSON.stringify(parts)).digest("hex");
const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

async function call(method, path, body, { looks } = {}) {
  for (let attempt = 0; attempt < 6; attempt++) {
    let answer;
    try {
      answer = await fetch(base + path, { method, headers, body: body && JSON.stringify(body) });
    } catch (problem) {
      console.error(`${method} ${path}: ${problem.message}`);
      await sleep(250 * 2 ** attempt);
      const found = looks && (await looks());
      if (found) return found;
      continue;
    }
    const said = await answer.json();
    console.log(`[${answer.status}] ${method} ${path} <${answer.headers.get("x-correlation-id")}>`);
    if (answer.status === 429) {
      const wait = answer.headers.get("retry-after");
      await sleep(/^\d+$/.test(wait) ? 1000 * wait + 50 : Math.max(0, Date.parse(wait) - Date.now()) + 50);
    } else if (answer.status >= 500) await sleep(250 * 2 ** attempt);
    else if (answer.ok) return said;
    else throw Object.assign(new Error(`${method} ${path}: ${said.code}`), { code: said.code });
  }
  throw new Error(`${method} ${path}: gave up`);
}

async function ended(run) {
  let pause = start;
  while (!["succeeded", "partial", "failed"].includes(run.status)) {
    await sleep(pause);
    pause = Math.min(pause * 2, 15 * start);
    run = await call("GET", `/runs/${run.run_id}`);
  }
  if (run.status === "failed") throw new Error(`run ${run.run_id} failed`);
  return run;
}

async function* rows(path, query = {}) {
  let cursor = null;
  do {
    const page = await call("GET", `${path}?${new URLSearchParams({ ...query, ...(cursor === null ? {} : { cursor }) })}`);
    yield* page.items;
    cursor = page.next_cursor;
  } while (cursor !== null);
}

async function start_(path, method, body, kind) {
  const looks = async () => {
    for await (const run of rows("/runs", { kind })) if (run.idempotency_key === body.idempotency_key) return run;
    return null;
  };
  return ended(await call(method, path, body, { looks }));
}

try {
  const { scopes } = await call("GET", "/auth");
  if (!scopes.includes("partner:write")) throw new Error("read only");
  const event = { event_id: "node-2031", title: "Node 2031", visibility: "private" };
  await call("POST", "/events", event).catch(async (problem) => {
    if (problem.code !== "PARTNER_ID_CONFLICT") throw problem;
    const found = await call("GET", `/events/${event.event_id}`);
    if (found.title !== event.title) throw new Error("not ours");
  });
  await call("POST", "/events/node-2031/context", { welcome_instructions: "Hello." });
  const attendees = ["x", "y", "z"].map((id) => ({ attendee_id: id, name: `Guest ${id}`, email: `${id}@example.com` }));
  await start_("/events/node-2031/attendees:import", "PUT", { attendees, idempotency_key: keyOf("i", attendees) }, "import");
  await start_("/events/node-2031/enrichment-runs", "POST", { idempotency_key: keyOf("e", attendees) }, "enrichment");
  for await (const review of rows("/review-queue", { limit: 20 }))
    await call("POST", `/review-queue/${review.review_id}/resolve`, { decision: "accept", reason: "Checked." }).catch(
      (problem) => { if (problem.code !== "REVIEW_NOT_FOUND") throw problem; },
    );
  const run = await start_("/events/node-2031/match-runs", "POST", { idempotency_key: keyOf("m", attendees), top_n: 5 }, "match");
  for await (const match of rows("/events/node-2031/matches", { run_id: run.run_id })) console.log(match.final_score);
} catch (problem) {
  console.error(problem.message);
  process.exit(1);
}
