#!/usr/bin/env python3
"""The OTLP hop against the Collector's pipeline otlp -> redaction -> otlp: the same client, the same upstream, the same run.

    cargo build --release --bin inkout --example otlpload && tests/otel/build.sh collector && benches/hop.py

The program that is measured has one processor of its own (taskset); client and upstream share another. Memory is the
highest resident size (VmHWM), with MALLOC_ARENA_MAX=1 as in deploy/systemd/inkout.service; the Collector gets it too, and
takes no notice, as Go has an allocator of its own. Run it with MALLOC_ARENA_MAX=0 to see what glibc does by itself.
Latency is that of a batch of 100 records at 200 requests a second, each with nothing beside it, against a relay that
copies bytes from socket to socket.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
INKOUT = os.environ.get("INKOUT", os.path.join(TARGET, "release/inkout"))
LOAD = os.path.join(TARGET, "release/examples/otlpload")
COLLECTOR = os.path.join(TARGET, "otel/otelcol")
MEASURED, OTHERS = "0", "1"

# The block of the processor's own documentation, with the hash left out and passwords added: it reads attributes and
# bodies, and nothing else.
REDACTION = """
processors:
  redaction:
    allow_all_keys: true
    redact_all_types: true
    blocked_key_patterns: [".*token.*", ".*api_key.*", ".*password.*"]
    blocked_values: ["4[0-9]{12}(?:[0-9]{3})?", "(5[1-5][0-9]{14})", "password=[^ ,]+"]
    summary: silent
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nobody listens on {port}")


class Program:
    def __init__(self, processor, command, port):
        self.port = port
        self.process = subprocess.Popen(["taskset", "-c", processor, *command], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env={"MALLOC_ARENA_MAX": "1", **os.environ, "GOMAXPROCS": "1"})
        wait_for(port)

    def memory_mib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024

    def seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.kill()
        self.process.wait()


def sink():
    port = free_port()
    return Program(OTHERS, [LOAD, "sink", f"127.0.0.1:{port}"], port)


def hop(upstream):
    port = free_port()
    command = [INKOUT, "run", "--from", f"otlp:127.0.0.1:{port}", "--to", f"otlp:http://127.0.0.1:{upstream}", "-j", "1"]
    return Program(MEASURED, command, port)


def collector(upstream, folder, processors="redaction"):
    port = free_port()
    config = os.path.join(folder, f"collector-{port}.yaml")
    with open(config, "w") as file:
        file.write(f"""
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{port}', max_recv_msg_size_mib: 64}}}}}}}}
{REDACTION if processors else ""}
exporters:
  otlp:
    endpoint: '127.0.0.1:{upstream}'
    compression: none
    tls: {{insecure: true}}
    sending_queue: {{enabled: false}}
    retry_on_failure: {{enabled: false}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  pipelines: {{logs: {{receivers: [otlp], processors: [{processors}], exporters: [otlp]}}}}
""")
    return Program(MEASURED, [COLLECTOR, "--config", config], port)


def relay(upstream):
    port = free_port()
    return Program(MEASURED, [LOAD, "relay", f"127.0.0.1:{port}", f"127.0.0.1:{upstream}"], port)


def send(port, **options):
    arguments = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    command = ["taskset", "-c", OTHERS, LOAD, "send", f"127.0.0.1:{port}", *arguments]
    sent = subprocess.run(command, capture_output=True, text=True)
    if sent.returncode:
        sys.exit(f"{command}: {sent.stderr}")
    return json.loads(sent.stdout)


def throughput(program, name, batches, records, in_flight, secrets):
    send(program.port, batches=max(batches // 10, 20), records=records, in_flight=in_flight, secrets=secrets)
    before = program.seconds()
    told = send(program.port, batches=batches, records=records, in_flight=in_flight, secrets=secrets)
    seconds = program.seconds() - before
    rate, per_core = told["records_per_second"], batches * records / max(seconds, 0.01)
    print(f"{name:34} {rate:>12,.0f} {per_core:>16,.0f} {rate * told['batch_bytes'] / records / 1e6:>7.0f} "
          f"{program.memory_mib():>8.1f}", flush=True)
    return per_core, program.memory_mib()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batches", type=int, default=4000)
    parser.add_argument("--records", type=int, default=512)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--secrets", type=int, default=10, help="of a thousand records")
    parser.add_argument("--only", choices=["throughput", "latency"])
    given = parser.parse_args()
    target = sink()
    with tempfile.TemporaryDirectory() as folder:
        if given.only != "latency":
            print(f"{'':34} {'records/s':>12} {'per core second':>16} {'MB/s':>7} {'MiB peak':>8}")
            results = []
            for name, make, share in [("inkout", lambda: hop(target.port), 1),
                                      ("Collector, otlp to otlp alone", lambda: collector(target.port, folder, ""), 4),
                                      ("Collector, redaction between", lambda: collector(target.port, folder), 10)]:
                program = make()
                results.append(throughput(program, name, given.batches // share, given.records, given.in_flight,
                                          given.secrets))
                program.stop()
            (ours, memory), _, (theirs, their_memory) = results
            print(f"inkout / Collector with redaction: {ours / theirs:.1f} x the records, {memory / their_memory:.2f} x the memory")
        if given.only != "throughput":
            print(f"{'':34} {'p50 us':>8} {'p90 us':>8} {'p99 us':>8}   100 records, 200 batches a second")
            times = []
            for name, make in [("plain TCP relay", lambda: relay(target.port)), ("inkout", lambda: hop(target.port)),
                               ("Collector, redaction between", lambda: collector(target.port, folder))] * 2:
                program = make()
                send(program.port, batches=200, records=100, in_flight=1, every_micros=5000)
                told = send(program.port, batches=2000, records=100, in_flight=1, every_micros=5000)
                times.append((told["p99_micros"], name))
                print(f"{name:34} {told['p50_micros']:>8} {told['p90_micros']:>8} {told['p99_micros']:>8}", flush=True)
                program.stop()
            best = {name: min(time for time, other in times if other == name) for _, name in times}
            print(f"added by inkout at p99: {best['inkout'] - best['plain TCP relay']:.0f} us")
    target.stop()


if __name__ == "__main__":
    main()
