#!/usr/bin/env python3
"""Holds an output to the truth of its corpus: what was missed, and which lines were changed without a reason.

    agreement.py INPUT OUTPUT [TRUTH.tsv]

Without a truth the corpus is clean and no line may change. Exit status 1 when the outputs have different lines.
"""
import collections
import sys


def read_truth(path):
    """Line number to (offset, length, kind); the generator plants at most one secret in a line."""
    if path is None:
        return {}
    with open(path, encoding="ascii") as file:
        rows = (row.rstrip("\n").split("\t") for row in file)
        return {int(line): (int(offset), int(length), kind) for offset, length, kind, line in rows}


def main():
    truth = read_truth(sys.argv[3] if len(sys.argv) > 3 else None)
    missed, extra, start = collections.Counter(), [], 0
    with open(sys.argv[1], "rb") as before, open(sys.argv[2], "rb") as after:
        for number, line in enumerate(before):
            out = after.readline()
            if number in truth:
                offset, length, kind = truth[number]
                secret = line[offset - start : offset - start + length]
                missed[kind] += secret in out
            elif line != out:
                extra.append(number)
            start += len(line)
        if after.read(1):
            sys.exit("the output has more lines than the input")
    by_kind = ", ".join(f"{kind} {count}" for kind, count in missed.most_common() if count)
    print(f"planted {len(truth)}, missed {missed.total()}, other lines changed {len(extra)}")
    if by_kind:
        print(f"missed by kind: {by_kind}")
    if extra:
        print(f"other lines changed, the first: {', '.join(str(number) for number in extra[:10])}")


if __name__ == "__main__":
    main()
