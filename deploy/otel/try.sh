#!/bin/sh
# Runs the three topologies with real parts, and shows what arrived behind inkout: which fields, and that no secret did.
#
#   cargo build --release && deploy/otel/try.sh
#
# A Collector and Python's SDK come from tests/otel/build.sh; INKOUT names another program.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
target=${CARGO_TARGET_DIR:-$root/target}
inkout=${INKOUT:-$target/release/inkout}
"$root/tests/otel/build.sh" collector python
work=$(mktemp -d)
processes=
stop() {
    for process in $processes; do kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || true; done
    processes=
}
trap 'stop; rm -rf "$work"' EXIT

export FRONT_GRPC=34317 FRONT_HTTP=34318 INKOUT_GRPC=34417 BEHIND_GRPC=34517 BEHIND_HTTP=34518
secret=$(printf '%s%s' kR4mZx9 Qw7vT2p)

listens() { # waits until somebody listens on each port
    for port in "$@"; do
        tries=0
        until python3 -c "import socket; socket.create_connection(('127.0.0.1', $port), 1)" 2>/dev/null; do
            tries=$((tries + 1))
            [ $tries -lt 200 ] || { echo "nobody listens on $port"; cat "$work"/*.log; exit 1; }
            sleep 0.05
        done
    done
}

collector() { # a Collector with this configuration
    "$target/otel/otelcol" --config "$here/$1.yaml" 2>"$work/$1.log" &
    processes="$processes $!"
}

hop() {
    "$inkout" run --from "otlp:127.0.0.1:$INKOUT_GRPC,127.0.0.1:34418" --to "$1" 2>"$work/inkout.log" &
    processes="$processes $!"
    listens $INKOUT_GRPC 34418
}

sdk() { # Python's SDK sends a log record, a span and a counter
    "$target/otel/python/bin/python" "$root/tests/otel/client.py" "$1" "http://127.0.0.1:$2" apples "$secret"
}

arrived() {
    tries=0
    until [ "$(grep -c -e 'resourceLogs' -e 'resourceSpans' -e 'resourceMetrics' "$ARRIVED" 2>/dev/null)" -ge 3 ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "not all of it arrived:"; cat "$ARRIVED"; exit 1; }
        sleep 0.1
    done
    stop
    python3 "$here/show.py" "$ARRIVED" "$secret"
}

echo "== gateway: SDK -> Collector -> inkout -> Collector"
export ARRIVED="$work/gateway.json"
collector behind; listens $BEHIND_GRPC
hop otlp:http://127.0.0.1:$BEHIND_GRPC
collector gateway; listens $FRONT_GRPC
sdk grpc $FRONT_GRPC; arrived

echo "== one Collector, two pipelines: SDK -> pipeline in -> inkout -> pipeline out"
export ARRIVED="$work/two.json"
collector two-pipelines; listens $FRONT_HTTP $BEHIND_GRPC
hop otlp:http://127.0.0.1:$BEHIND_GRPC
sdk http $FRONT_HTTP; arrived

echo "== sidecar: SDK -> inkout -> Collector, by HTTP on both sides"
export ARRIVED="$work/sidecar.json"
collector behind; listens $BEHIND_HTTP
hop otlp+http://127.0.0.1:$BEHIND_HTTP
sdk http 34418; arrived
