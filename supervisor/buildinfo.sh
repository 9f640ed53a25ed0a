#!/bin/sh
# Print buildinfo.c: what GET / tells of the build.
#
#   buildinfo.sh SRCDIR VERSION FILE...
#
# The hash is the SHA-1 of the version and of the SHA-1 of all files, which are
# below SRCDIR, in the order of their names: the same sources give the same hash,
# from a checkout as from an archive. The date is the time of the build, or
# SOURCE_DATE_EPOCH, so that a build can be made again to the byte.
set -eu
LC_ALL=C
export LC_ALL
srcdir=$1
version=$2
shift 2

if command -v sha1sum >/dev/null; then
	sha1=sha1sum
elif command -v shasum >/dev/null; then
	sha1=shasum
else
	sha1=sha1
fi
hash=$({
	echo "$version"
	(cd "$srcdir" && printf '%s\n' "$@" | sort -u | xargs $sha1)
} | $sha1 | sed 's/.*\([0-9a-f]\{40\}\).*/\1/')
[ ${#hash} -eq 40 ]

epoch=${SOURCE_DATE_EPOCH:-$(date +%s)}
format=+%Y-%m-%dT%H:%M:%S.000Z
date=$(date -u -d "@$epoch" $format 2>/dev/null ||
    date -u -r "$epoch" $format)

echo '#include "supervisor/buildinfo.h"'
echo
echo "const char buildinfo_hash[] = \"$hash\";"
echo "const char buildinfo_date[] = \"$date\";"
