#!/bin/sh
# Each header compiles alone, twice in one file, without a warning.
set -u
top=${srcdir:-.}
fails=0
unit=headers.$$.c
trap 'rm -f "$unit"' EXIT

for header in "$top"/common/*.h "$top"/supervisor/*.h "$top"/worker/*.h \
    "$top"/query/*.h "$top"/keeper/*.h "$top"/ctl/*.h; do
	name=${header#"$top"/}
	printf '#include "common/compat.h"\n#include "%s"\n#include "%s"\n' \
	    "$name" "$name" >"$unit"
	# shellcheck disable=SC2086  # the flags are words
	${CC:-cc} -I"$top" -I. ${HEADER_CFLAGS:-} -Werror -fsyntax-only \
	    "$unit" || {
		echo "does not compile alone: $name"
		fails=$((fails + 1))
	}
done
echo "$fails headers do not compile alone"
[ "$fails" -eq 0 ]
