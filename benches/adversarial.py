#!/usr/bin/env python3
"""Twice the input must take twice the time, whatever the input: some sixty inputs made to be hard, at n and at 2n bytes.

    adversarial.py [--size BYTES] [--runs N] [--only TEXT] -- COMMAND [ARG...]

The command reads standard input. Each row is the median time at n, at 2n and their ratio, both minus the time the
command takes for no input at all. A ratio above 2.3 is measured once more, at four times the size while that takes no minutes,
where noise shrinks and a square grows; if it stays it is flagged and the exit status is 1. Cases are one line without an end, except where the name says lines.
"""
import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT = 2.3
# Below this a difference is the machine, not the program; a machine whose empty runs differ by more says so itself.
NOISE_S = 0.0005
# Above this a suspicion is checked at the same size.
SLOW_S = 0.25
SEED = 1


def noise(alphabet):
    """A generator of random bytes of that alphabet, the same on every run."""
    return lambda size: bytes(random.Random(SEED).choices(alphabet, k=size))


def nested(opening, closing):
    """So many openings, then as many closings."""
    def make(size):
        count = size // (len(opening) + len(closing))
        return opening * count + closing * count
    return make


def head(start, filler):
    """One start and nothing but filler after it."""
    return lambda size: (start + filler * (size // len(filler) + 1))[:size]


# Prefixes are joined from parts so that this file holds nothing that looks like a secret.
BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ARMOUR = b"-----BEGIN " + b"RSA PRIVATE " + b"KEY-----"

# A value is repeated, or is a function of the size.
CASES = {
    "prefix gh+p_": b"gh" b"p_",
    "prefix gh+p_ and 35 of 36": b"gh" b"p_" + b"a1B2c" * 7 + b" ",
    "prefix sk-": b"sk-",
    "prefix sk-ant-api03-": b"sk-ant-" b"api03-",
    "prefix eyJ": b"eyJ",
    "prefix eyJ-": b"eyJ-",
    "prefix eyJ.": b"eyJ.",
    "a token without its last part": b"eyJ" b"hbGciOiJIUzI1NiJ9.",
    "prefix AKIA": b"AK" b"IA",
    "prefix xoxb-": b"xo" b"xb-",
    "prefix xoxb-1": b"xo" b"xb-1",
    "one prefix, endless tail": head(b"github" b"_pat_", b"a1B2"),
    "://": b"://",
    "://a:": b"://a:",
    "://a:b": b"://a:b",
    "scheme and user without end": head(b"postgres" b"://user:", b"x1"),
    "BEGIN": b"-----BEGIN ",
    "armour opened, never closed": ARMOUR,
    "armour opened once, base64 after it": head(ARMOUR + b"\\n", b"MIIEowIBAAKCAQEA0123"),
    "armour in lines, never closed": ARMOUR + b"\n",
    'token"': b'token"',
    'token":"': b'token":"',
    "token='": b"token='",
    "token= and blanks": b"token=        ",
    "password=": b"password=",
    "password= once, endless value": head(b"password" b"=", b"x1Y2z3"),
    "authorization: ": b"authorization: ",
    "authorization: bearer ": b"authorization: bearer ",
    "cookie: a=": b"cookie: a=",
    "cookie with a pair too many": head(b"cookie: ", b"a=b; "),
    "cookie: [": b"cookie: [",
    "auth=": b"auth=",
    "auth='": b"auth='",
    "license between tags": b"'>license'",
    "token, a quote that closes nothing": b"'redistoken\"\t'",
    "VALUES and calls": head(b"(token) VALUES ", b"(now("),
    "curl -u": b"curl -u ",
    "mysql": b"mysql ",
    '{"token":[': b'{"token":[',
    '{"a": nested': nested(b'{"a":', b"}"),
    '{"password":{ nested': nested(b'{"password":{"v":', b"}}"),
    "backslashes": b"\\",
    'backslash quote': b'\\"',
    '"token\\": and backslashes': head(b'"token' b'":"', b"\\"),
    "\\u0022": b"\\u0022",
    "%22": b"%22",
    "%25": b"%25",
    "colours": b"\x1b[",
    "colours between letters": b"\x1b[1mp\x1b[0mass",
    "&quot;": b"&quot;",
    "quotes": b'"',
    "[ nested": nested(b"[", b"]"),
    "{ nested": nested(b"{", b"}"),
    "the letter a": b"a",
    "digits": b"0123456789",
    "hex": noise(b"0123456789abcdef"),
    "base64": noise(BASE64),
    "dots and letters": b"a.",
    "equals signs": b"=",
    "findings, all in one line": b"api" b"_key=x1y2z3a4b5c6d7e8 ",
    "findings, one per line": b"api" b"_key=x1y2z3a4b5c6d7e8\n",
    "lines, empty": b"\n",
    "lines, empty, CRLF": b"\r\n",
    "lines of one key": b"token=\n",
    "NULs": b"\0",
    "invalid UTF-8": b"\xff\xc3(",
    "any bytes": noise(bytes(range(256))),
}


def make(case, size):
    return case(size) if callable(case) else (case * (size // len(case) + 1))[:size]


def once(command, path):
    with open(path, "rb") as source:
        start = time.perf_counter()
        status = subprocess.run(command, stdin=source, stdout=subprocess.DEVNULL).returncode
        took = time.perf_counter() - start
    if status not in (0, 1):
        sys.exit(f"{command[0]} ended with {status} on {path}")
    return took


class Doubling:
    """Runs the command on n and 2n bytes of a case and compares."""

    def __init__(self, command, directory, size, runs):
        self.command, self.directory, self.size, self.runs = command, directory, size, runs
        empty = self.write(b"", "empty")
        idle = sorted(once(command, empty) for _ in range(4 * runs))
        self.idle = statistics.median(idle)
        self.noise = max(NOISE_S, idle[int(len(idle) * 0.9)] - idle[int(len(idle) * 0.1)])

    def write(self, content, name):
        path = f"{self.directory}/{name}"
        with open(path, "wb") as file:
            file.write(content)
        return path

    def ratio(self, case, size, runs):
        one = self.write(make(case, size), "one")
        two = self.write(make(case, 2 * size), "two")
        pairs = [(once(self.command, one), once(self.command, two)) for _ in range(runs)]
        at_n, at_2n = (max(statistics.median(times) - self.idle, 0) for times in zip(*pairs))
        # Two times that are both noise have no ratio; adding the noise to both draws theirs towards one.
        return at_n, at_2n, (at_2n + self.noise) / (at_n + self.noise)

    def row(self, name, case):
        size = self.size
        at_n, at_2n, ratio = self.ratio(case, size, self.runs)
        if ratio > LIMIT:
            size *= 4 if at_2n < SLOW_S else 1
            at_n, at_2n, ratio = self.ratio(case, size, 2 * self.runs)
        flag = "  << more than doubles" if ratio > LIMIT else ""
        flag += f"  (n = {size})" if size != self.size else ""
        speed = f"{2 * size / at_2n / 1e9:8.3f}" if at_2n > self.noise else "       -"
        print(f"{name:<38}{at_n * 1e3:10.2f}{at_2n * 1e3:10.2f}{ratio:7.2f}{speed}{flag}", flush=True)
        return ratio <= LIMIT


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1 << 20, help="n in bytes")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        doubling = Doubling(arguments.command, directory, arguments.size, arguments.runs)
        print(f"n = {arguments.size} bytes; no input takes {doubling.idle * 1e3:.2f} ms, subtracted below; noise "
              f"{doubling.noise * 1e3:.2f} ms")
        print(f"{'case':<38}{'n, ms':>10}{'2n, ms':>10}{'ratio':>7}{'GB/s':>8}")
        passed = [doubling.row(name, case) for name, case in CASES.items() if arguments.only in name]
    print(f"{len(passed)} cases, {passed.count(False)} more than double")
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
