#!/usr/bin/env python3
"""How long a whole line waits in a quiet pipe: p50 and p99 in milliseconds.

    latency.py [--lines N] [--every MS] -- COMMAND [ARG...]

Writes one line at a time to the command, waits until it is read back, sleeps, and starts again. What is measured is the
way there and back, scheduling included: compare it with `-- cat`.
"""
import argparse
import os
import select
import statistics
import subprocess
import sys
import time

LINE = b'ts=2025-06-15T14:03:22.118Z level=info svc=storefront msg="order placed" n=%06d status=200\n'
GIVE_UP_S = 5


def read_line(fd):
    """Bytes up to a line end; fails when the command keeps the line for itself."""
    seen = b""
    while not seen.endswith(b"\n"):
        ready, _, _ = select.select([fd], [], [], GIVE_UP_S)
        if not ready:
            sys.exit(f"a line was not written within {GIVE_UP_S} s")
        part = os.read(fd, 65536)
        if not part:
            sys.exit("the command ended before its input did")
        seen += part
    return seen


def measure(command, lines, pause_s):
    waits = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        for number in range(lines):
            line = LINE % number
            start = time.perf_counter_ns()
            child.stdin.write(line)
            returned = read_line(child.stdout.fileno())
            waits.append((time.perf_counter_ns() - start) / 1e6)
            if returned != line:
                sys.exit(f"line {number} was changed")
            time.sleep(pause_s)
        child.stdin.close()
    return sorted(waits)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--every", type=float, default=5, help="milliseconds between lines")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    waits = measure(arguments.command, arguments.lines, arguments.every / 1000)
    print(f"p50 {statistics.median(waits):.3f} ms  p99 {waits[int(len(waits) * 0.99)]:.3f} ms")


if __name__ == "__main__":
    main()
