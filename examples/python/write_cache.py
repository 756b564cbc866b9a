"""Writes results that Toolstash loads: python3 write_cache.py <folder> < calls.jsonl

Each input line is {"method": …, "params": …, "result": …}, with "ttl_ms" if it is to expire. The files are plain
gzip(msgpack({key: {result, metadata}})), one per method. Needs the standard library and `msgpack`.
"""

import gzip
import hashlib
import json
import os
import pathlib
import sys
import time

import msgpack


def hash_key(method, params):
    """The key of a call, the same as Toolstash's hashKey(method, params)."""
    return hashlib.md5(f"{method}:{json.dumps(normalized(params), sort_keys=True)}".encode()).hexdigest()


def normalized(value):
    """Integral floats as integers: to JavaScript 1.0 and 1 are one number, and Toolstash prints all its digits."""
    if isinstance(value, float) and value.is_integer() and str(value) != "-0.0":
        return int(value)
    if isinstance(value, dict):
        return {key: normalized(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [normalized(member) for member in value]
    return value


def write_entries(folder, method, entries):
    """Writes {key: {result, metadata}} of one method to a new partition, and returns its path."""
    day = time.strftime("%Y%m%d", time.gmtime())
    month = pathlib.Path(folder) / f"{day[:4]}-{day[4:6]}"
    month.mkdir(mode=0o700, parents=True, exist_ok=True)
    body = gzip.compress(msgpack.packb(entries))
    temporary = month / f".{os.urandom(16).hex()}.tmp"
    with open(temporary, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    partition = 0
    while True:
        path = month / f"{hashlib.md5(method.encode()).hexdigest()}_{day}_{partition}.cache"
        try:
            os.link(temporary, path)  # fails if the name is taken, so nothing is ever overwritten
            break
        except FileExistsError:
            partition += 1
    temporary.unlink()
    return path


def main():
    now = int(time.time() * 1000)
    methods = {}
    for line in sys.stdin:
        call = json.loads(line)
        ttl = call.get("ttl_ms")
        metadata = {
            "created_at": now,
            "stale_at": None if ttl is None else now + ttl,
            "expires_at": None if ttl is None else now + ttl,
            "access_count": 0,
            "last_access": now,
            "load_ms": 0,
            "method": call["method"],
        }
        key = hash_key(call["method"], call["params"])
        methods.setdefault(call["method"], {})[key] = {"result": call["result"], "metadata": metadata}
    for method, entries in methods.items():
        print(write_entries(sys.argv[1], method, entries))


if __name__ == "__main__":
    main()
