#!/usr/bin/env bash
# R's gzcon() loses its place in a valid gzip header whose extra field (RFC 1952, FEXTRA) holds a byte 0xff.
#
# Seen with R 4.2.2: gzcon() skips the extra field byte by byte and takes 0xff for the end of the file. It goes on to
# inflate in the middle of the header, without an error or a warning: the result holds bytes that were never in the
# data, or is empty. The same file without that byte is read right, and gzfile() reads both.
# Who meets it: readers of BGZF and other formats that keep lengths or checksums in the extra field.
#
# Needs Debian's packages: r-base-core, python3 (to write the two files with nothing but its standard library).
# Exit code 0: R still does so; 1: it behaves differently now; 2: the packages are missing.
set -euo pipefail

for command in Rscript python3; do
  command -v "$command" >/dev/null || { echo "needs: apt-get install r-base-core python3" >&2; exit 2; }
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
for name, byte in ("fe", b"\xfe"), ("ff", b"\xff"):
    subfield = b"XX" + struct.pack("<H", 9) + b"aaaa" + byte + b"bbbb"
    head = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x00\xff" + struct.pack("<H", len(subfield)) + subfield
    with open(f"{name}.gz", "wb") as file:
        file.write(head + deflated + struct.pack("<II", zlib.crc32(body), len(body)))
PYTHON
gzip --test fe.gz ff.gz

cat > read.R <<'RSCRIPT'
cat(as.character(getRversion()), "\n")
take <- function(connection) { bytes <- readBin(connection, "raw", 1000); close(connection); bytes }
body <- charToRaw(strrep("0123456789", 12))
for (name in c("fe.gz", "ff.gz"))
  cat(name, "gzfile", identical(take(gzfile(name, "rb")), body),
      "gzcon", identical(take(gzcon(file(name, "rb", raw = TRUE))), body), "\n")
RSCRIPT
seen=$(Rscript read.R 2>&1)
echo "$seen"
expected='fe.gz gzfile TRUE gzcon TRUE
ff.gz gzfile TRUE gzcon FALSE'
if [ "$(tail -n +2 <<<"$seen" | sed 's/ *$//')" = "$expected" ]; then
  echo "as described: gzcon() misreads the file whose extra field holds 0xff, and says nothing"
else
  echo "changed: expected"; echo "$expected"; exit 1
fi
