"""Reads a value that Toolstash has stored in Redis: python3 redis_read.py <url> <prefix> <method> <params-json>

Needs `redis` and `msgpack`. Prints the value and its metadata as JSON, or says why there is none.
"""

import gzip
import hashlib
import json
import sys
import zlib

import msgpack
import redis

VERSION, TOKEN = 1, ord("T")


def hash_key(method, params):
    """The key of a call, as Toolstash's hashKey(method, params) gives it for params without integral floats."""
    return hashlib.md5(f"{method}:{json.dumps(params, sort_keys=True)}".encode()).hexdigest()


def read_value(raw, epoch):
    """The envelope of a value: {"result": …, "metadata": {…}}. None where there is none, or none that counts any more."""
    if raw is None or raw[0] == TOKEN:
        return None
    if raw[0] != VERSION or len(raw) < 62:
        raise ValueError(f"not a value of version {VERSION}")
    stamp, check, checksum, body = raw[18:50], raw[50:58], raw[58:62], raw[62:]
    if hashlib.sha1(stamp).hexdigest()[:8].encode() != check:
        raise ValueError("a stamp that fails its checksum")
    if zlib.crc32(body, zlib.crc32(raw[:18])) != int.from_bytes(checksum, "big"):
        raise ValueError("a value that fails its checksum")
    if raw[2:18] != epoch:
        return None
    return msgpack.unpackb(gzip.decompress(body) if raw[1] & 1 else body, raw=False, strict_map_key=False)


def main():
    url, prefix, method, params = sys.argv[1:5]
    client = redis.Redis.from_url(url)
    key = hash_key(method, json.loads(params))
    epoch = client.hget(f"{prefix}:{{all}}:state", "epoch")
    envelope = read_value(client.get(f"{prefix}:{{{key[:2]}}}:{key}"), epoch)
    if envelope is None:
        sys.exit(f"there is no value of {method} {params}")
    print(json.dumps(envelope, ensure_ascii=False, default=repr))


if __name__ == "__main__":
    main()
