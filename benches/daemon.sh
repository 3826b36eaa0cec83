#!/bin/sh
# Measures `inkout run`: TCP to TCP on one core beside a plain copy (socat), idle cost, and memory at many connections.
# Needs socat, taskset and python3. Usage: benches/daemon.sh [MEGABYTES] [CONNECTIONS]
set -eu
megabytes=${1:-512}
connections=${2:-5000}
program=${INKOUT:-target/release/inkout}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cargo run -q --release --example corpus -- --size "${megabytes}M" --out "$log"

python3 - "$program" "$log" "$connections" <<'PYTHON'
import os, resource, socket, subprocess, sys, threading, time

program, log, connections = sys.argv[1], sys.argv[2], int(sys.argv[3])
size = os.path.getsize(log)
quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise SystemExit("nobody listens")


def through(command_of):
    """Seconds until as many bytes as were sent have come out behind a process on processor 0."""
    sink = socket.socket()
    sink.bind(("127.0.0.1", 0))
    sink.listen(8)
    done, port = threading.Event(), free_port()

    def drain():
        got = 0
        while got < size:
            peer, _ = sink.accept()
            buffer = bytearray(1 << 20)
            while got < size and (n := peer.recv_into(buffer)):
                got += n
        done.set()

    threading.Thread(target=drain, daemon=True).start()
    process = subprocess.Popen(["taskset", "-c", "0", *command_of(port, sink.getsockname()[1])], **quiet)
    try:
        peer = connect(port)
        time.sleep(1)  # What is begun at the start is done by then.
        started = time.monotonic()
        with open(log, "rb") as file:
            peer.sendfile(file)
        peer.shutdown(socket.SHUT_WR)
        done.wait(300)
        return time.monotonic() - started if done.is_set() else float("nan")
    finally:
        process.kill()
        process.wait()


def inkout(port, to):
    return [program, "run", "-j", "1", "--from", f"tcp:127.0.0.1:{port}", "--to", f"tcp:127.0.0.1:{to}"]


def socat(port, to):
    return ["socat", "-u", "-b", "262144", f"TCP-LISTEN:{port},reuseaddr", f"TCP:127.0.0.1:{to}"]


def best(command_of):
    return min(through(command_of) for _ in range(3))


copy, masked = best(socat), best(inkout)
print(f"TCP to TCP, one core: inkout {size / masked / 1e6:.0f} MB/s, socat {size / copy / 1e6:.0f} MB/s, "
      f"{copy / masked * 100:.0f} %")


def status(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


resource.setrlimit(resource.RLIMIT_NOFILE, (2 * connections + 200,) * 2)
sink = socket.socket()
sink.bind(("127.0.0.1", 0))
sink.listen(8)
port = free_port()
config = log + ".toml"
with open(config, "w") as file:
    file.write(f"[[pipeline]]\nsource = {{ type = 'tcp', listen = '127.0.0.1:{port}', max_connections = {connections + 10} }}\n"
               f"sinks = ['tcp:127.0.0.1:{sink.getsockname()[1]}']\n")
process = subprocess.Popen([program, "run", "--config", config], **quiet)
try:
    connect(port).close()
    time.sleep(2)
    before = cpu_seconds(process.pid)
    time.sleep(20)
    idle = (cpu_seconds(process.pid) - before) / 20
    rss = status(process.pid, "VmRSS")
    print(f"idle: {idle * 100:.2f} % of a core, {rss / 1024:.1f} MiB")
    peers = [connect(port) for _ in range(connections)]
    time.sleep(2)
    held = status(process.pid, "VmRSS")
    print(f"{connections} idle connections: {held / 1024:.0f} MiB, {(held - rss) / connections:.1f} KiB each")
    chunk = b"x" * (32 << 10)
    for peer in peers:
        peer.setblocking(False)
    for _ in range(20):
        for peer in peers:
            try:
                peer.send(chunk)
            except OSError:
                pass
    time.sleep(2)
    bound = 64 + connections * 32 / 1024 + 32
    print(f"the same with an endless record on each: peak {status(process.pid, 'VmHWM') / 1024:.0f} MiB of {bound:.0f}")
finally:
    process.kill()
    os.remove(config)
PYTHON
