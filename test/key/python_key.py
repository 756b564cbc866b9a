"""Toolstash keys in Python, and a wire format that carries any JSON-like value between JavaScript and Python.

Run as a script it reads one wire-encoded value a line and prints, for each, a JSON array of the canonical text and
the key of the method "tool".
"""

import copy
import hashlib
import json
import sys

ABSENT = object()


def canonical(value):
    return json.dumps(value, sort_keys=True)


def key_of(method, params, scope=ABSENT, version=ABSENT, ignore=()):
    params = copy.deepcopy(params)
    # Longest first, and later elements before earlier ones, so that deleting moves nothing that is still to go.
    for path in sorted(ignore, key=lambda path: (len(path), [int(s) if s.isdigit() else 0 for s in path]), reverse=True):
        remove(params, path)
    text = f"{method}:{canonical(params)}"
    given = (("scope", scope), ("version", version))
    extras = {name: value for name, value in given if value is not ABSENT}
    if extras:
        text += "\n" + canonical(extras)
    return hashlib.md5(text.encode()).hexdigest()


def remove(value, path):
    *above, last = path
    for segment in above:
        value = member(value, segment)
    if member(value, last) is not ABSENT:
        del value[int(last) if isinstance(value, list) else last]


def member(value, segment):
    if isinstance(value, dict):
        return value.get(segment, ABSENT)
    if isinstance(value, list) and segment.isdigit() and int(segment) < len(value):
        return value[int(segment)]
    return ABSENT


def encode(value):
    """Numbers as text and objects as lists of pairs: JSON.parse would round the ones and reorder the others."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": repr(value)}
    if isinstance(value, list):
        return [encode(element) for element in value]
    return {"object": [[key, encode(field)] for key, field in value.items()]}


def decode(wire):
    if isinstance(wire, list):
        return [decode(element) for element in wire]
    if not isinstance(wire, dict):
        return wire
    if "int" in wire:
        return int(wire["int"])
    if "float" in wire:
        return float(wire["float"])
    return {key: decode(field) for key, field in wire["object"]}


if __name__ == "__main__":
    sys.setrecursionlimit(20_000)
    for line in sys.stdin:
        value = decode(json.loads(line))
        print(json.dumps([canonical(value), key_of("tool", value)]))
