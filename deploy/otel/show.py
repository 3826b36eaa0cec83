#!/usr/bin/env python3
"""Shows the masked texts in what a Collector's file exporter wrote, and fails if the secret is anywhere in it.

    show.py FILE SECRET
"""
import json
import sys

path, secret = sys.argv[1:]
with open(path) as file:
    text = file.read()


def walk(value, place):
    if isinstance(value, dict):
        key = value.get("key")
        for name, inner in value.items():
            walk(inner, f"{place}.{key}" if key and name == "value" else f"{place}.{name}")
    elif isinstance(value, list):
        for inner in value:
            walk(inner, place)
    elif isinstance(value, str) and "REDACTED" in value:
        print(f"   {place.lstrip('.')}: {value}")


for line in text.splitlines():
    walk(json.loads(line), "")
if secret in text:
    sys.exit("THE SECRET ARRIVED")
print(f"   {len(text)} bytes arrived, the secret is not among them")
