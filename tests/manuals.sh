#!/bin/sh
# The manual pages have no fault that mandoc knows, and the ones that promise
# to be complete are: every message and field of the protocol, every key of the
# configuration, every option.
set -u
top=${srcdir:-.}
fails=0

fail() {
	echo "$*"
	fails=$((fails + 1))
}

command -v mandoc >/dev/null || { echo "no mandoc here"; exit 77; }

for page in man/anomd.8 man/anomd.conf.5 "$top"/man/*.[1-9]; do
	mandoc -Tlint -W warning "$page" || fail "lint: $page"
	grep -q '@[a-z]*@' "$page" && fail "not substituted: $page"
done

# The protocol: names in upper case stand in MSG_STRUCTS and MSG_RAWS.
text=$(mandoc -Tascii -O width=400 "$top/man/anomd-protocol.7" |
    sed "s,.$(printf '\b'),,g")
list=$(sed -n '/^#define MSG_STRUCTS/,/^#define MSG_ENUM/p' \
    "$top/common/msg.h" | sed -n 's/^[[:space:]]*X(\([A-Z_]*\), .*/\1/p')
[ "$(echo "$list" | wc -w)" -gt 20 ] || fail "the list of messages is short"
for name in $list; do
	echo "$text" | grep -Eq "^ +$name \([0-9]+, from " ||
	    fail "anomd-protocol(7) has no paragraph on $name"
done

# Fields stand in the paragraph of their message, with their type.
awk '/^#define MSG_[A-Z_]*_FIELDS/ {
	name = $2; sub(/^MSG_/, "", name); sub(/_FIELDS.*/, "", name) }
/F\(S, / { line = $0
	while (match(line, /F\(S, [A-Z0-9]+, [a-z_0-9]+/)) {
		split(substr(line, RSTART + 5, RLENGTH - 5), part, ", ")
		print name, part[2], tolower(part[1])
		line = substr(line, RSTART + RLENGTH) } }' \
    "$top/common/msg.h" >manuals.fields
[ "$(wc -l <manuals.fields)" -gt 60 ] || fail "the list of fields is short"
while read -r message field type; do
	echo "$text" | awk -v message="$message" '
	    $0 ~ "^ +" message " \\(" { inside = 1; next }
	    inside && /^ +[A-Z_]+ \([0-9]+, from / { exit }
	    inside' | grep -Eq "^ +$field +$type( |$)" ||
	    fail "anomd-protocol(7): $message has no $field of type $type"
done <manuals.fields
rm -f manuals.fields

# Keys of the configuration, as their table has them.
if keys=$(sed -n 's/^	{ "\([a-z_]*\)", KEY_.*/\1/p' \
    "$top/supervisor/conf.c" 2>/dev/null) && [ -n "$keys" ]; then
	for key in $keys; do
		grep -q "^\\.It Cm $key " man/anomd.conf.5 ||
		    fail "anomd.conf(5) has no $key"
	done
fi

# Fields of a job in the section of their object, with type and marks, and what
# functions need: as the tables of the parser have them.
tests/print_jobconf >manuals.fields || fail "print_jobconf"
[ "$(wc -l <manuals.fields)" -gt 90 ] || fail "the list of a job is short"
while IFS='|' read -r section line; do
	awk -v section=".Ss $section" '
	    /^\.S[hs] / { inside = $0 == section; next }
	    inside' "$top/man/anomd-job.5" | grep -Fxq -e "$line" ||
	    fail "anomd-job(5): $section has no line: $line"
done <manuals.fields
rm -f manuals.fields

# Commands of anomctl and the options of each, as its own help has them.
text=$(mandoc -Tascii -O width=400 "$top/man/anomctl.1" |
    sed "s,.$(printf '\b'),,g; s/^ *//")
options() { sed -n '/^Options.*:$/,/^$/s/^ *\(-.*\)/\1/p' | sed 's/  .*//'; }
names=$(./anomctl help | sed -n '/^Commands:/,/^$/s/^  \(.*\)/\1/p' |
    sed 's/  .*//')
[ "$(echo "$names" | wc -l)" -gt 9 ] || fail "the list of commands is short"
./anomctl help | options >manuals.options
while read -r option; do
	echo "$text" | grep -Eqx -- "$option(  .*)?" ||
	    fail "anomctl(1) has no $option"
done <manuals.options
echo "$names" >manuals.names
while read -r name; do
	paragraph=$(echo "$text" | awk -v name="$name" -v names="$names" '
	    BEGIN { n = split(names, list, "\n")
		for (i = 1; i <= n; i++) known[list[i]] = 1 }
	    $0 == name { inside = 1 }
	    inside && $0 != name && ($0 in known || /^[A-Z]+$/) { exit }
	    inside')
	[ -n "$paragraph" ] || fail "anomctl(1) has no paragraph on $name"
	# shellcheck disable=SC2046  # the lower-case words are the command
	./anomctl help $(echo "$name" | grep -Eo '^[a-z]+( [a-z]+)?') |
	    options >manuals.options
	while read -r option; do
		echo "$paragraph" | grep -Eqx -- "$option(  .*)?" ||
		    fail "anomctl(1): $name has no $option"
	done <manuals.options
done <manuals.names
rm -f manuals.names manuals.options

echo "$fails faults"
[ "$fails" -eq 0 ]
