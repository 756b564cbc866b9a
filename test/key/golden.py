"""Prints the golden vectors, one a line: python3 test/key/golden.py > test/key/golden.jsonl"""

import json

from python_key import ABSENT, canonical, encode, key_of

NESTED = {"query": "otters", "trace_id": 7, "meta": {"requestId": "r-1", "request.id": 2, "page": 3}, "tags": [1, 2, 3]}

VALUES = {
    "null": None,
    "true": True,
    "false": False,
    "an empty object": {},
    "an empty array": [],
    "an empty string": "",
    "empty containers inside others": {"a": {}, "b": [], "c": [[], {}, [{}]]},
    "the five-field argument": {"query": "select 1", "limit": 100, "options": {"timeout": 30, "readonly": True}, "page": 0, "db": "main"},
    "keys in no order": {"b": 1, "a": {"d": 2, "c": 3}, "B": 4, "_": 5, "1": 6, "10": 7, "9": 8, "": 9},
    "keys by code point, not by UTF-16": {"\U0001f9a6": 1, "\uffee": 2, "\ue000": 3, "\u00e9": 4, "z": 5, "\ud83d": 6, "\ud83dx": 7},
    "a __proto__ key": {"__proto__": {"admin": True}, "constructor": 1, "toString": None},
    "quotes, backslashes and slashes": 'say "hi" \\ / \\" end',
    "control characters": "".join(map(chr, range(0x20))) + "\x7f\x80\x9f",
    "line separators": "\u2028\u2029\ufeff\xa0\xad",
    "astral characters": "\U0001f9a6 \U00010000 \U0010ffff",
    "lone surrogates": ["\ud83d", "\udda6", "a\ud83d\ud83db", "\udda6\ud83d"],
    "text of many scripts": "Grüße, 世界, Привет, مرحبا, नमस्ते",
    "small integers": [0, 1, -1, 42, -100, 2147483647, -2147483648, 2147483648, 4294967296],
    "integers up to 2^53": [2**53, -(2**53), 2**53 - 1, 999999999999999],
    "integers beyond 2^53": [2**53 + 1, 2**63, -(2**63), 2**64, 2**64 + 1, 10**22, 10**30, -(10**100), int(1e23), int(1.7976931348623157e308)],
    "identifiers of 64 bits": [2**53 + 2, 2**53 + 3, 2**60, 2**60 + 1, 1234567890123456789, 2**63 - 1, -(2**63) + 1],
    "negative zero": [-0.0, 0],
    "fractions": [0.1, -0.1, 0.5, 1.5, 3.141592653589793, 0.30000000000000004, 123456789.125, 4503599627370495.5, -2.2250738585072014],
    "fractions around the change to exponents": [0.001, 0.0001, 0.00012345, 0.00009999, 0.00001, -0.00001, 0.0000123, 1e-06, 1e-07, 1.5e-07],
    "the smallest fractions": [5e-324, -5e-324, 2.2250738585072014e-308, 1e-100, 1.234e-99, 1e-10, 9.99e-10],
    "not finite": [float("nan"), float("inf"), float("-inf")],
    "deep": [[[[[[[[[[{"a": [[[[{"b": [None]}]]]]}]]]]]]]]]],
    "nested arguments": NESTED,
}

CALLS = [
    {"method": "search", "params": NESTED},
    {"method": "search", "params": NESTED, "scope": "task-1"},
    {"method": "search", "params": NESTED, "scope": {"user": "u", "tenant": "é"}},
    {"method": "search", "params": NESTED, "scope": None},
    {"method": "search", "params": NESTED, "version": "2"},
    {"method": "search", "params": NESTED, "version": 2},
    {"method": "search", "params": NESTED, "scope": "task-1", "version": "2"},
    {"method": "search", "params": NESTED, "ignore": [["trace_id"]]},
    {"method": "search", "params": NESTED, "ignore": [["trace_id"], ["meta", "requestId"]]},
    {"method": "search", "params": NESTED, "ignore": [["meta", "request.id"], ["meta", "requestId"], ["meta", "page"]]},
    {"method": "search", "params": NESTED, "ignore": [["meta"], ["meta", "page"], ["absent"], ["query", "x"]]},
    {"method": "search", "params": NESTED, "ignore": [["tags", "0"], ["tags", "2"]]},
    {"method": "search", "params": [NESTED, NESTED], "ignore": [["0"], ["1", "meta"]], "scope": "s", "version": 1},
    {"method": "search", "params": "text", "ignore": [["0"], ["length"]]},
    {"method": "a:b", "params": 1},
    {"method": "a", "params": "b:1"},
    {"method": "recherche d’été \U0001f9a6", "params": {}},
    {"method": "line\nbreak", "params": {}},
]


def call(method, params, scope=ABSENT, version=ABSENT, ignore=ABSENT):
    paths = () if ignore is ABSENT else ignore
    wire = {"method": method, "params": encode(params)}
    given = (("scope", scope), ("version", version))
    wire.update({name: encode(value) for name, value in given if value is not ABSENT})
    if paths:
        wire["ignore"] = paths
    return {**wire, "key": key_of(method, params, scope, version, paths)}


for name, value in VALUES.items():
    print(json.dumps({"name": name, "value": encode(value), "text": canonical(value)}))
for each in CALLS:
    print(json.dumps(call(**each)))
