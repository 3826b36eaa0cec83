#!/usr/bin/env python3
"""What the OTLP hop bears: for each attack the memory it costs, and whether another client is served meanwhile.

    cargo build --release --bin inkout --example otlpload && benches/hop_attack.py

Memory is resident, before and at its highest during the attack. The other client sends batches of 100 records; its slowest
answer is shown. The caps on connections are raised for the row of 5,000; with the defaults (1,024, and 256 from one address)
the rest is closed at once.
"""
import gzip
import json
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from hop import INKOUT, LOAD, ROOT, TARGET, free_port, wait_for  # noqa: F401

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LOGS = b"/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


HEAD = literal(b":method", b"POST") + literal(b":scheme", b"http") + literal(b":path", LOGS) + literal(b":authority", b"a")
GRPC = HEAD + literal(b"content-type", b"application/grpc") + literal(b"te", b"trailers")
SETTINGS = frame(4, 0, 0)


class Hop:
    def __init__(self, settings=""):
        self.sink_port, self.grpc, self.http = free_port(), free_port(), free_port()
        self.sink = subprocess.Popen([LOAD, "sink", f"127.0.0.1:{self.sink_port}"])
        wait_for(self.sink_port)
        self.file = tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False)
        self.file.write(f"""
[[pipeline]]
source = {{ type = "otlp", otlp = {{ grpc = "127.0.0.1:{self.grpc}", http = "127.0.0.1:{self.http}" {settings} }} }}
sinks = ["otlp:http://127.0.0.1:{self.sink_port}"]
""")
        self.file.close()
        self.process = subprocess.Popen([INKOUT, "run", "--config", self.file.name], stderr=subprocess.DEVNULL)
        wait_for(self.grpc)
        self.client()

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(what + r":\s+(\d+)", status.read())[1]) / 1024

    def client(self, batches=200):
        command = [LOAD, "send", f"127.0.0.1:{self.grpc}", "--batches", str(batches), "--records", "100",
                   "--in-flight", "1", "--every-micros", "2000"]
        sent = subprocess.run(command, capture_output=True, text=True, timeout=120)
        return json.loads(sent.stdout)["p99_micros"] if sent.returncode == 0 else f"NOT SERVED {sent.stderr.strip()}"

    def stop(self):
        self.process.kill()
        self.sink.kill()
        self.process.wait()
        self.sink.wait()
        os.unlink(self.file.name)


def open_connections(port, count, first):
    held = []
    for _ in range(count):
        try:
            peer = socket.create_connection(("127.0.0.1", port), 5)
            peer.sendall(first)
            held.append(peer)
        except OSError:
            pass
    return held


def flood(port, frames, seconds=5):
    """Sends frames for a while, on new connections when one is closed; how many were closed."""
    closed, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as peer:
                peer.settimeout(1)
                peer.sendall(PREFACE + SETTINGS)
                threading.Thread(target=drain, args=(peer,), daemon=True).start()
                number = 0
                while time.monotonic() < end:
                    peer.sendall(frames(number))
                    number += 1
        except OSError:
            closed += 1
    return f"{closed} connections closed"


def drain(peer):
    try:
        while peer.recv(65536):
            pass
    except OSError:
        pass


def idle(hop):
    held = open_connections(hop.grpc, 5000, PREFACE + SETTINGS)
    time.sleep(1)
    hop.held = held
    return f"{len(held)} connections of HTTP/2 held"


def slow(hop):
    hop.held = open_connections(hop.http, 5000, b"POST /v1/logs HTTP/1.1\r\nhost: a\r\n")
    time.sleep(1)
    return f"{len(hop.held)} unfinished heads held"


def bombs(hop):
    bomb = gzip.compress(bytes(1 << 30), 9)
    refused = 0
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", hop.http), 30) as peer:
            head = b"POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n"
            peer.sendall(head + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb)
            refused += peer.recv(100).startswith(b"HTTP/1.1 413")
    return f"{refused} of 20 bombs of 1 MiB for 1 GiB refused"


def lengths(hop):
    held = []
    for _ in range(200):
        peer = socket.create_connection(("127.0.0.1", hop.grpc), 5)
        requests = b"".join(
            frame(1, 4, 2 * number + 1, GRPC) + frame(0, 0, 2 * number + 1, b"\0\x03\xff\xff\xff" + b"x" * 100)
            for number in range(100))
        peer.sendall(PREFACE + SETTINGS + requests)
        held.append(peer)
    time.sleep(1)
    hop.held = held
    return "20,000 requests announce 64 MiB each"


def empties(hop):
    # AnyValue of nothing, ten million times, in one record's array: 20 MB.
    record = b"\x2a" + varint(20_000_000 + 5) + b"\x2a" + varint(20_000_000) + b"\x0a\x00" * 10_000_000
    body = wrap(wrap(wrap(record, 0x12), 0x12), 0x0a)
    with socket.create_connection(("127.0.0.1", hop.http), 30) as peer:
        peer.sendall(b"POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n"
                     b"content-length: %d\r\n\r\n" % len(body) + body)
        return peer.recv(100).split(b"\r\n")[0].decode()


def nested(hop):
    value = b""
    for _ in range(100_000):
        value = b"\x0a" + varint(len(value)) + value  # ArrayValue { values: [..] }
        value = b"\x2a" + varint(len(value)) + value if len(value) < 1 << 20 else value
    body = wrap(wrap(wrap(b"\x2a" + varint(len(value)) + value, 0x12), 0x12), 0x0a)
    with socket.create_connection(("127.0.0.1", hop.http), 30) as peer:
        peer.sendall(b"POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n"
                     b"content-length: %d\r\n\r\n" % len(body) + body)
        return peer.recv(100).split(b"\r\n")[0].decode()


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7f | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def wrap(message, tag):
    return bytes([tag]) + varint(len(message)) + message


RAISED = ", max_connections = 12000, max_connections_per_peer = 12000"
ATTACKS = [
    ("5,000 idle connections", idle, RAISED),
    ("5,000 unfinished heads", slow, RAISED),
    ("gzip bombs", bombs, ""),
    ("lengths announced, nothing sent", lengths, ""),
    ("10 million empty values", empties, ""),
    ("values nested 100,000 deep", nested, ""),
    ("rapid reset", lambda hop: flood(hop.grpc, lambda n: b"".join(
        frame(1, 4, 2 * (n * 50 + k) + 1, GRPC) + frame(3, 0, 2 * (n * 50 + k) + 1, b"\0\0\0\x08") for k in range(50))), ""),
    ("CONTINUATION", lambda hop: flood(hop.grpc, lambda n: frame(1, 0, 1, HEAD) if n == 0 else
                                       frame(9, 0, 1, literal(b"a", b"b") * 100)), ""),
    ("empty DATA", lambda hop: flood(hop.grpc, lambda n: frame(1, 4, 1, GRPC) if n == 0 else frame(0, 0, 1) * 100), ""),
    ("PING", lambda hop: flood(hop.grpc, lambda n: frame(6, 0, 0, bytes(8)) * 100), ""),
    ("SETTINGS", lambda hop: flood(hop.grpc, lambda n: SETTINGS * 100), ""),
]


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    print(f"{'attack':34} {'MiB before':>10} {'at most':>8} {'more':>6} {'other client, p99 us':>21}   what came of it")
    for name, attack, settings in ATTACKS:
        hop = Hop(settings)
        before, most, over, told = hop.memory(), [0.0], threading.Event(), []
        watch = threading.Thread(target=lambda: [most.__setitem__(0, max(most[0], hop.memory())) or time.sleep(0.02)
                                                 for _ in iter(over.is_set, True)])
        watch.start()
        attacking = threading.Thread(target=lambda: told.append(attack(hop)))
        attacking.start()
        served = hop.client()
        attacking.join()
        served_after = hop.client(50)
        over.set()
        watch.join()
        alive = hop.process.poll() is None
        print(f"{name:34} {before:>10.1f} {most[0]:>8.1f} {most[0] - before:>6.1f} {served!s:>10} {served_after!s:>10}   "
              f"{told[0] if told else 'THE ATTACK FAILED'}{'' if alive else '; THE HOP DIED'}", flush=True)
        hop.stop()


if __name__ == "__main__":
    sys.exit(main())
