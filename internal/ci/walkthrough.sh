#!/usr/bin/env bash
# The walk-through of the README as a transcript: worker and caller as processes of their
# own, curl against every form of an answer, the description of an endpoint, metrics and
# bad settings. It fails if a step does. curl is installed from Debian if it is missing.
set -eu -o pipefail
command -v curl >/dev/null || { apt-get update -qq && apt-get install -y -qq curl; } >&2
dir=$(mktemp -d)
export DYN_HTTP_RPC_HOST=127.0.0.1 DYN_TCP_REQUEST_HOST=127.0.0.1 WIREPLANE_ADVERTISE_HOST=127.0.0.1 \
  DYN_TCP_RESPONSE_STREAM_HOST=127.0.0.1 DYN_TCP_POOL_ENABLED=true WIREPLANE_METRICS_ADDR=127.0.0.1:0
wireplane=$dir/wireplane
(cd planes/cmd && go build -o "$wireplane" ./wireplane)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$dir"' EXIT
show() { printf '\n$ %s\n' "$*"; "$@"; }
# await FILE PATTERN: the first match of PATTERN in FILE, once it is there.
await() {
  for _ in $(seq 200); do
    if grep -oE -m1 "$2" "$1" 2>/dev/null; then return; fi
    sleep 0.05
  done
  echo "walkthrough: no $2 in:" >&2
  cat "$1" >&2
  return 1
}

echo "\$ wireplane worker --discovery file:DIR --transports tcp+exchange,http+exchange,tcp+tcp demo/backend/test"
"$wireplane" worker --discovery "file:$dir/kv" --transports tcp+exchange,http+exchange,tcp+tcp demo/backend/test 2>"$dir/worker" &
pids+=($!)
url=$(await "$dir/worker" 'http://[^ ]*/v1/rpc/demo/backend/test')
metrics=$(await "$dir/worker" 'http://[^ ]*/metrics')
root=${url%/demo/backend/test}
cat "$dir/worker"

show "$wireplane" call --discovery "file:$dir/kv" demo/backend/test "hello wire"
show "$wireplane" call --discovery "file:$dir/kv" --json demo/backend/test "hello wire"
show "$wireplane" call --discovery "file:$dir/kv" --transports tcp+tcp --count 200 demo/backend/test "call home" >"$dir/many" 2>&1
tail -n 2 "$dir/many"

show curl -sv "$root/test" 2>&1
show curl -sS "$root/nothing"
for accept in text/event-stream application/x-ndjson; do
  show curl -sSNi -H "Accept: $accept" -d "hello wire" "$root/test"
done
printf '\n$ curl -sSN -H "Accept: application/vnd.wireplane.stream" -d "hello wire" %s | wireplane inspect --spec stream\n' "$root/test"
curl -sSN -H "Accept: application/vnd.wireplane.stream" -d "hello wire" "$root/test" >"$dir/binary"
"$wireplane" inspect --spec stream "$dir/binary"

printf '\n$ curl -s %s\n' "$metrics"
curl -sS "$metrics" >"$dir/metrics"
grep -E '^(tcp_pool_connections|tcp_pool_idle|transport_requests_total|discovery_registrations)' "$dir/metrics"
for name in tcp_pool_{connections_created_total,connections_reused_total,active_connections,idle_connections,acquisition_latency_seconds,validation_failures_total} \
  transport_{requests_total,request_latency_seconds,errors_total,active_streams} \
  discovery_{registrations_total,discoveries_total,etcd_latency_seconds,cache_hits_total,cache_misses_total,cache_age_seconds}; do
  grep -qE "^$name(_bucket)?[{ ]" "$dir/metrics" || { echo "walkthrough: /metrics lacks $name" >&2; exit 1; }
done
echo "every name of the founding document is there"

for setting in DYN_TCP_POOL_MAX_PER_TARGET=lots DYN_REQUEST_PLANE=carrier-pigeon DYN_RESPONSE_PLANE=quic WIREPLANE_LIVENESS_PROBE=soon; do
  printf '\n$ %s wireplane worker demo/backend/test\n' "$setting"
  status=0
  env "$setting" "$wireplane" worker demo/backend/test || status=$?
  echo "exit status $status"
  [ "$status" = 2 ]
done
kill "${pids[0]}"
wait "${pids[0]}"
pids=()
trap 'rm -rf "$dir"' EXIT
echo
tail -n 2 "$dir/worker"
echo "walkthrough: every step did what it should"
