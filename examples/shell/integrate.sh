#!/usr/bin/env bash
# The recommended sequence with curl and jq, made safe: retries keep their idempotency key, a 429 is waited out, runs are
# polled to their end, pages are followed to the last one. Every line of the log holds a correlation ID.
#
#   MESHI_BASE=https://… MESHI_KEY=… ./integrate.sh
set -euo pipefail
: "${MESHI_BASE:?}" "${MESHI_KEY:?}"

event=harbour-2031
first_pause=${POLL_SECONDS:-2}
answer=$(mktemp) headers=$(mktemp)
trap 'rm -f "$answer" "$headers"' EXIT

stop() { echo "stopped: $*" >&2; exit 1; }

wait_for_rate_limit() {
  local wait now
  wait=$(sed -n 's/^retry-after: *//Ip' "$headers" | tr -d '\r')
  if [[ $wait =~ ^[0-9]+$ ]]; then sleep "$wait"; return; fi
  now=$(date +%s)
  wait=$(date -d "$wait" +%s)
  if (( wait > now )); then sleep $(( wait - now )); fi
}

# send METHOD PATH [BODY]: leaves the answer in $answer and its status in $status. The key goes by a file descriptor, so
# that no list of processes shows it.
send() {
  local body=() try
  if [[ $# -ge 3 ]]; then body=(-H "Content-Type: application/json" --data-binary "$3"); fi
  for try in 1 2 3 4 5; do
    if ! status=$(curl -sS -X "$1" "$MESHI_BASE$2" -H @<(echo "Authorization: Bearer $MESHI_KEY") "${body[@]}" \
      -o "$answer" -D "$headers" -w '%{http_code}'); then
      echo "$1 $2: no answer" >&2
      sleep "$try"
      continue
    fi
    echo "$1 $2 $status correlation_id=$(jq -r .correlation_id "$answer")" >&2
    case $status in
      429) wait_for_rate_limit ;;
      5*) sleep "$try" ;;
      *) return ;;
    esac
  done
  stop "$1 $2 had no usable answer"
}

succeed() {
  send "$@"
  [[ $status == 2* ]] || stop "$1 $2: $status $(jq -r .code "$answer")"
}

# ended: polls the run that $answer shows until it has ended. Any status but the three is not the end.
ended() {
  local run pause=$first_pause
  run=$(jq -r .run_id "$answer")
  until [[ $(jq -r .status "$answer") =~ ^(succeeded|partial|failed)$ ]]; do
    sleep "$pause"
    pause=$(awk "BEGIN { p = 2 * $pause; m = 15 * $first_pause; print (p < m) ? p : m }")
    succeed GET "/runs/$run"
  done
  [[ $(jq -r .status "$answer") != failed ]] || stop "run $run failed: $(jq -c .error "$answer")"
  if [[ $(jq -r .status "$answer") == partial ]]; then jq -c .progress "$answer" >&2; fi
}

# rows PATH QUERY: prints every row of a list, one a line.
rows() {
  local query=$2 cursor
  while :; do
    succeed GET "$1?$query"
    jq -c '.items[]' "$answer"
    cursor=$(jq -r 'if .next_cursor == null then "" else .next_cursor | @uri end' "$answer")
    if [[ -z $cursor ]]; then return; fi
    query="$2&cursor=$cursor"
  done
}

attendees='[
  {"attendee_id": "a-1", "name": "Ada Berg", "email": "ada@example.com", "company": "Fjord"},
  {"attendee_id": "a-2", "name": "Ben Cole", "email": "ben@example.com", "company": "Quay"},
  {"attendee_id": "a-3", "name": "Cai Diaz", "email": "cai@example.com", "company": "Pier"}]'
batch=$(sha256sum <<<"$event $attendees" | cut -c1-32)

succeed GET /auth
jq -e '.scopes | index("partner:write")' "$answer" >/dev/null || stop "the key may not write"

send POST /events '{"event_id": "'$event'", "title": "Harbour Forum", "start_date": "2031-05-12", "timezone": "Europe/Lisbon"}'
case $status in
  2*) ;;
  409)
    succeed GET "/events/$event"
    [[ $(jq -r .title "$answer") == "Harbour Forum" ]] || stop "another event is called $event"
    ;;
  *) stop "the event was refused: $status $(jq -r .code "$answer")" ;;
esac

succeed POST "/events/$event/context" '{"objectives": "Let people meet who can help each other."}'
succeed PUT "/events/$event/attendees:import" "{\"idempotency_key\": \"import-$batch\", \"attendees\": $attendees}"
ended
succeed POST "/events/$event/enrichment-runs" "{\"idempotency_key\": \"enrich-$batch\"}"
ended

for review in $(rows "/events/$event/review-queue" limit=50 | jq -r .review_id); do
  send POST "/review-queue/$review/resolve" '{"decision": "distinct", "reason": "Two IDs in our system are two people."}'
  [[ $status == 2* || $(jq -r .code "$answer") == REVIEW_NOT_FOUND ]] || stop "the review $review: $status"
done

succeed POST "/events/$event/match-runs" "{\"idempotency_key\": \"match-$batch\", \"top_n\": 10}"
ended
run=$(jq -r .run_id "$answer")
rows "/events/$event/matches" "limit=50&run_id=$run" | jq -r '"\(.principal_attendee_id) \(.target_attendee_id) \(.final_score)"'
