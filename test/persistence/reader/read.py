"""Prints what the partition files hold as JSON: {key: result}, where what only Toolstash reads is "ext 84"."""

import gzip
import json
import sys

import msgpack

found = {}
for path in sys.argv[1:]:
    with gzip.open(path) as body:
        for entries in msgpack.Unpacker(body, timestamp=0):
            for key, entry in entries.items():
                found.pop(key, None)
                if entry is not None:
                    result = entry["result"]
                    found[key] = f"ext {result.code}" if isinstance(result, msgpack.ExtType) else result
print(json.dumps(found))
