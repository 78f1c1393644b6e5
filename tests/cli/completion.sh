# What bash offers for unfinished command lines.
source "$ROOT/completions/paligemma.bash"
mkdir models models/tiny
touch cow.jpg lily.jpg
complete_line() {
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    _paligemma
    echo "$*_: ${COMPREPLY[*]}"
}
complete_line paligemma ''
complete_line paligemma ca
complete_line paligemma help pre
complete_line paligemma caption c
complete_line paligemma caption --no
complete_line paligemma caption -m mo
complete_line paligemma generate --image l
complete_line paligemma generate --compute ''
complete_line paligemma generate --compute = b
complete_line paligemma generate --compute =
complete_line paligemma generate --prompt c
complete_line paligemma generate --stop -
complete_line paligemma tokenize --b
