#!/bin/sh
# Gets the real parts that the hop is tested against into target/otel, once: a Collector and telemetrygen (built by Go from
# their modules), Python's SDK (in a virtual environment) and Node's. What cannot be had is named; the tests say then that
# they were skipped.
#
#   tests/otel/build.sh [collector] [telemetrygen] [python] [node]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${CARGO_TARGET_DIR:-$here/../../target}/otel
mkdir -p "$out"

collector() {
    stamp=$(cat "$here/collector/go.mod" "$here/collector/main.go" | cksum)
    if [ -x "$out/otelcol" ] && [ "$(cat "$out/otelcol.stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
    (cd "$here/collector" && go build -trimpath -ldflags='-s -w' -o "$out/otelcol" .)
    echo "$stamp" >"$out/otelcol.stamp"
}

telemetrygen() {
    [ -x "$out/telemetrygen" ] || GOBIN=$out go install -trimpath -ldflags='-s -w' \
        github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@v0.161.0
}

python() {
    stamp=$(cksum <"$here/requirements.txt")
    if [ "$(cat "$out/python.stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
    python3 -m venv "$out/python"
    "$out/python/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    echo "$stamp" >"$out/python.stamp"
}

node() {
    stamp=$(cksum <"$here/node/package.json")
    if [ "$(cat "$out/node.stamp" 2>/dev/null)" = "$stamp" ]; then return; fi
    mkdir -p "$out/node"
    cp "$here/node/package.json" "$here/node/client.mjs" "$out/node/"
    (cd "$out/node" && npm install --silent --no-audit --no-fund)
    echo "$stamp" >"$out/node.stamp"
}

for part in "${@:-collector}"; do "$part"; done
