# Completion of anomctl's command lines for bash; installed where the package
# bash-completion looks for it. What may be typed, anomctl itself knows.

_anomctl()
{
	local words word=
	# The line as typed: bash would split a URL at its colons.
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}"
	# The word at the cursor; empty when the cursor stands behind a blank.
	[[ ${COMP_LINE:0:COMP_POINT} =~ [[:blank:]]$ ]] && words+=('')
	word=${words[-1]}
	mapfile -t COMPREPLY < <(compgen -W \
	    "$("$1" complete -- "${words[@]:1}" 2>/dev/null)" -- "$word")
}
complete -o bashdefault -o default -F _anomctl anomctl
