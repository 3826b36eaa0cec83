#!/usr/bin/env python3
"""A secret in every string and bytes field of OTLP, through inkout and through the Collector's redaction processor.

    cargo build --release --bin inkout && tests/otel/build.sh collector && benches/hop_fields.py [--all]

For each field of `tests/otlp/fields.txt` (made from the protobuf descriptors) one export with a token of GitHub's format in
that field and nowhere else, by HTTP; what a Collector's file exporter writes behind it is searched for the token. The
processor is set up as its documentation advises, with a pattern for exactly this token. Beside each export goes one plain
record, because a Collector drops requests without records.
"""
import base64
import collections
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

from hop import COLLECTOR, INKOUT, ROOT, free_port, wait_for

# The parts are joined here: no token stands in the tree.
TOKEN = "gh" + "p_" + "".join("aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0fG3iL6"[:36])
PATTERN = "gh[pousr]_[A-Za-z0-9]{36}"

CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{port}'}}}}}}}}
processors:
  redaction:
    allow_all_keys: true
    redact_all_types: true
    blocked_key_patterns: [".*token.*", ".*api_key.*"]
    blocked_values: ["{pattern}"]
    summary: silent
exporters: {{file: {{path: '{file}', flush_interval: 10ms}}}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines:
    logs: &all {{receivers: [otlp], processors: [{processors}], exporters: [file]}}
    traces: *all
    metrics: *all
"""


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def nested(numbers, content):
    for number in reversed(numbers):
        content = field(number, content)
    return content


# A record, span or gauge's point of no interest.
PLAIN = {
    "logs": nested([1, 2, 2], b"\x09" + bytes(8)),
    "traces": nested([1, 2, 2], nested([5], b"plain")),
    "metrics": nested([1, 2, 2, 5, 1], b"\x19" + bytes(8)),
}


class Collector:
    def __init__(self, folder, name, processors):
        self.port, self.file = free_port(), os.path.join(folder, name + ".json")
        config = os.path.join(folder, name + ".yaml")
        with open(config, "w") as file:
            file.write(CONFIG.format(port=self.port, file=self.file, processors=processors, pattern=PATTERN))
        self.process = subprocess.Popen([COLLECTOR, "--config", config], stderr=subprocess.DEVNULL)
        wait_for(self.port)
        self.read = 0

    def arrived(self):
        for _ in range(400):
            with open(self.file) as file:
                file.seek(self.read)
                line = file.readline()
            if line.endswith("\n"):
                self.read += len(line.encode())
                return line
            time.sleep(0.005)
        return ""


def export(port, signal, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/{signal}", body,
                                     {"content-type": "application/x-protobuf"})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


def outcome(status, line):
    if status != 200:
        return "refused"
    if TOKEN in line or base64.b64encode(TOKEN.encode()).decode() in line:
        return "LEAKED"
    masks = ("****", "REDACTED", base64.b64encode(b"[REDACTED:").decode()[:12])
    return "masked" if any(mask in line for mask in masks) else "dropped"


def main():
    with open(os.path.join(ROOT, "tests/otlp/fields.txt")) as file:
        fields = [line.split() for line in file]
    ids = re.compile(r":(traceId|spanId|parentSpanId)\*?$")
    fields = [(signal, path) for signal, path, kind in fields if kind in ("string", "bytes") and not ids.search(path)]
    with tempfile.TemporaryDirectory() as folder:
        behind, processor = Collector(folder, "behind", ""), Collector(folder, "processor", "redaction")
        grpc, http = free_port(), free_port()
        hop = subprocess.Popen([INKOUT, "run", "--from", f"otlp:127.0.0.1:{grpc},127.0.0.1:{http}", "--to",
                                f"otlp+http://127.0.0.1:{behind.port}"], stderr=subprocess.DEVNULL)
        wait_for(http)
        counts = {name: collections.Counter() for name in ("inkout", "processor")}
        for signal, path in fields:
            body = PLAIN[signal] + nested([int(step.split(":")[1]) for step in path.split("/")], TOKEN.encode())
            ways = {"inkout": (http, behind), "processor": (processor.port, processor)}
            came = {}
            for name, (port, collector) in ways.items():
                status = export(port, signal, body)
                came[name] = outcome(status, collector.arrived() if status == 200 else "")
                counts[name][signal, came[name]] += 1
            if "--all" in sys.argv or came["inkout"] not in ("masked", "dropped"):
                print(f"{came['inkout']:8} {came['processor']:8} {signal} {re.sub(r'[^/]*:', '', path)}", flush=True)
        print(f"{'':10}{'fields':>7}   {'inkout: masked':>15} {'leaked':>7} {'not passed on':>14}   "
              f"{'redaction processor: masked':>28} {'leaked':>7} {'not passed on':>14}")
        for signal in PLAIN:
            row = [counts[name][signal, what] + (counts[name][signal, "refused"] if what == "dropped" else 0)
                   for name in ("inkout", "processor") for what in ("masked", "LEAKED", "dropped")]
            print(f"{signal:10}{sum(row[:3]):>7}   {row[0]:>15} {row[1]:>7} {row[2]:>14}   {row[3]:>28} {row[4]:>7} {row[5]:>14}")
        for process in (hop, behind.process, processor.process):
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
