#!/usr/bin/env bash
# busybox's gunzip and zcat refuse a valid gzip file whose extra field (RFC 1952, FEXTRA) is longer than 16 KiB.
#
# Seen with BusyBox 1.35.0: the field may have 65,535 bytes, but busybox has to get all of it into its input buffer of
# 16,384 bytes; beyond that the file is "corrupted data". gzip, pigz, 7z, Python, Go and Java read it. Where it is met:
# Alpine and other small images have no other zcat, so a file that passes everywhere else "is corrupt" in a container.
#
# Needs Debian's packages: busybox, gzip, python3 (to write the files with nothing but its standard library).
# Exit code 0: busybox still does so; 1: it behaves differently now; 2: the packages are missing.
set -euo pipefail

for command in busybox gzip python3; do
  command -v "$command" >/dev/null || { echo "needs: apt-get install busybox gzip python3" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 - <<'PYTHON'
import struct
import zlib

body = b"0123456789" * 12
deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
deflated = deflater.compress(body) + deflater.flush()
for length in 16_384, 16_400, 65_535:
    subfield = b"XX" + struct.pack("<H", length - 4) + bytes(length - 4)
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x00\xff" + struct.pack("<H", length) + subfield
    with open(f"{length}.gz", "wb") as file:
        file.write(head + deflated + struct.pack("<II", zlib.crc32(body), len(body)))
PYTHON

busybox 2>&1 | sed -n 1p
seen=''
for length in 16384 16400 65535; do
  gzip --decompress --stdout "$length.gz" | wc -c | grep -qx 120
  result=$(busybox zcat "$length.gz" 2>&1 | tr -d '\0') || true
  [ "${#result}" = 120 ] && result='120 bytes'
  seen+="$length: $result"$'\n'
done
printf '%s' "$seen"
if [[ $seen == "16384: 120 bytes"$'\n'"16400: "*"corrupted data"$'\n'"65535: "*"corrupted data"$'\n' ]]; then
  echo "as described: busybox takes extra fields above 16 KiB for corrupted data, gzip reads them"
else
  echo "changed: expected 120 bytes, then twice corrupted data"; exit 1
fi
