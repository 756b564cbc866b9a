"""Lists and reads the partition files of a Toolstash cache folder: python3 read_cache.py <folder> [method] [params-json]

Needs the standard library and `msgpack`. The format is described in src/persistence/FORMAT.md.
"""

import hashlib
import json
import pathlib
import re
import struct
import sys
import time
import zlib

import msgpack

VALUE, DELETION, CLEAR_METHOD, INVALIDATE_TAG, CLEAR_ALL = range(5)
NEVER = 2**64 - 1
NAME = re.compile(r"[0-9a-f]{32}_\d{8}_(0|[1-9]\d{0,8})\.cache")
NO_WRITER = "0" * 16


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


def hash_method(method):
    return hashlib.md5(method.encode()).hexdigest()


def unpack(body):
    """The maps of a body. Values that only Toolstash can read become msgpack.ExtType."""
    unpacker = msgpack.Unpacker(strict_map_key=False, raw=False, timestamp=0, max_buffer_size=len(body) or 1)
    unpacker.feed(body)
    return list(unpacker)


def read_field(extra):
    """The TS field of a gzip header's extra field, or None."""
    at = 0
    while at + 4 <= len(extra):
        (length,) = struct.unpack_from("<H", extra, at + 2)
        if extra[at : at + 2] == b"TS":
            field = extra[at : at + 4 + length]
            (crc,) = struct.unpack_from("<I", field, len(field) - 4)
            if zlib.crc32(field[:-4]) != crc:
                raise ValueError("a header that fails its checksum")
            return field[4:]
        at += 4 + length
    return None


def read_entries(field):
    """Key, kind, stamp and expiry of each entry, as the header has them."""
    writer = field[24:32].hex()
    count, others = struct.unpack_from("<HH", field, 56)
    writers = [writer] + [field[64 + 8 * i : 72 + 8 * i].hex() for i in range(others)]
    for index in range(count):
        at = 64 + 8 * others + 40 * index
        stamp, expiry, _offset, number, kind = struct.unpack_from("<QQIHB", field, at + 16)
        yield field[at : at + 16].hex(), kind, (stamp, writers[number]), None if expiry == NEVER else expiry


def read_members(data):
    """Each member's TS field (None in a plain file), method name (None if it has none) and body."""
    at = 0
    while at < len(data):
        if data[at : at + 2] != b"\x1f\x8b" or len(data) < at + 12:
            return  # an append in progress, or damage
        flags = data[at + 3]
        field, name = None, None
        end = at + 10
        if flags & 4:
            (length,) = struct.unpack_from("<H", data, end)
            if len(data) < end + 2 + length:
                return
            field = read_field(data[end + 2 : end + 2 + length])
            end += 2 + length
        if flags & 8:
            zero = data.index(b"\0", end)
            name = data[end:zero].decode()
        inflater = zlib.decompressobj(wbits=31)
        body = inflater.decompress(data[at:])
        if not inflater.eof:
            return
        yield field, (name if field is not None else None), body
        at = len(data) - len(inflater.unused_data)


def read_folder(folder):
    """The newest entry of every key that has not expired: {key: {"result", "metadata", "method"}}."""
    newest, cleared, tags, clear_all = {}, {}, {}, (-1, "")
    for path in sorted(pathlib.Path(folder).glob("????-??/*.cache")):
        if not NAME.fullmatch(path.name) or path.is_symlink() or not path.is_file():
            continue
        method_hash, method = path.name[:32], None
        for field, name, body in read_members(path.read_bytes()):
            method = name or method
            entries = {key: entry for part in unpack(body) for key, entry in part.items()}
            if field is None:
                for key, entry in entries.items():
                    if entry is not None:
                        stamp = (int(entry["metadata"]["created_at"] * 1000), NO_WRITER)
                        keep(newest, key, (stamp, entry, method_hash, None))
                continue
            if field[0] != 1:
                continue  # written by a later version
            for key, kind, stamp, _expiry in read_entries(field):
                if kind == VALUE:
                    keep(newest, key, (stamp, entries[key], method_hash, method))
                elif kind == DELETION:
                    keep(newest, key, (stamp, None, method_hash, method))
                elif kind == CLEAR_METHOD:
                    cleared[key] = max(stamp, cleared.get(key, stamp))
                elif kind == INVALIDATE_TAG:
                    tags[key] = max(stamp, tags.get(key, stamp))
                elif kind == CLEAR_ALL:
                    clear_all = max(stamp, clear_all)
    now = time.time() * 1000
    found = {}
    for key, (stamp, entry, method_hash, method) in newest.items():
        if entry is None or stamp <= max(clear_all, cleared.get(method_hash, (-1, ""))):
            continue
        metadata = entry["metadata"]
        if metadata.get("expires_at") is not None and now >= metadata["expires_at"]:
            continue
        if any(stamp <= tags.get(hash_method(f"tag:{tag}"), (-1, "")) for tag in metadata.get("tags") or []):
            continue
        found[key] = {**entry, "method": metadata.get("method", method)}
    return found


def keep(newest, key, entry):
    if key not in newest or newest[key][0] < entry[0]:
        newest[key] = entry


def main():
    folder = sys.argv[1]
    entries = read_folder(folder)
    if len(sys.argv) > 3:
        key = hash_key(sys.argv[2], json.loads(sys.argv[3]))
        print(json.dumps(entries[key]["result"]) if key in entries else "not there")
        return
    wanted = sys.argv[2] if len(sys.argv) > 2 else None
    for key, entry in entries.items():
        if wanted is None or entry["method"] == wanted:
            line = {"key": key, "method": entry["method"], "metadata": entry["metadata"], "result": entry["result"]}
            print(json.dumps(line, default=repr))


if __name__ == "__main__":
    main()
