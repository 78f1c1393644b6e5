#!/usr/bin/env bash
# Runs command line cases: each NAME.sh beside this file is run in an empty folder, and what it prints on stdout must be
# NAME.out. There, `paligemma` is the program under test, golden/ is tests/golden, $ROOT is the repository, and the
# functions below are defined.
#
#   tests/cli/run.sh build/paligemma              all cases
#   tests/cli/run.sh build/paligemma NAME...      some
#   tests/cli/run.sh --refresh build/paligemma [NAME...]   writes NAME.out anew: read the difference before committing
set -u
cases=$(cd "$(dirname "$0")" && pwd)
refresh=
if [[ ${1-} == --refresh ]]; then
    refresh=yes
    shift
fi
[[ $# -ge 1 && -x $1 ]] || { echo "usage: run.sh [--refresh] PROGRAM [NAME]..." >&2; exit 2; }
program=$(realpath "$1")
shift
[[ $# -gt 0 ]] || set -- $(cd "$cases" && ls ./*.sh | sed 's|^\./||; s|\.sh$||; /^run$/d')

# Runs a command line; shows it, what it prints on both outputs, and its exit code.
try() {
    echo "\$ paligemma $*"
    paligemma "$@" 2>&1
    echo "= $?"
}

# JSON on stdin without what differs from machine to machine: fractions and the names of the hardware.
mask() {
    sed -E 's/("(load|pictures|prefill|first_token|decode|tokens_per_second)": )[^,}]*/\1_/g
            s/("(isa|threads)": )[^,}]*/\1_/g
            s/-?[0-9]+\.[0-9]+(e-?[0-9]+)?/_/g'
}

# The SHA-256 of a file, or of stdin.
sum() {
    sha256sum "$@" | cut -d' ' -f1
}
export -f try mask sum

export ROOT=${cases%/tests/cli} LC_ALL=C.UTF-8
unset PALIGEMMA_MODEL PALIGEMMA_DEVICE
export PALIGEMMA_MODELS=none # whether models are installed changes nothing
export HF_HUB_OFFLINE=1      # nothing is fetched
failed=0
for name; do
    folder=$(mktemp -d)
    mkdir "$folder/bin" "$folder/work"
    ln -s "$program" "$folder/bin/paligemma"
    ln -s "$ROOT/tests/golden" "$folder/work/golden"
    (cd "$folder/work" && PATH=$folder/bin:$PATH bash "$cases/$name.sh") >"$folder/out" 2>"$folder/err"
    if [[ $refresh ]]; then
        cp "$folder/out" "$cases/$name.out"
    elif ! diff -u "$cases/$name.out" "$folder/out"; then
        echo "$name: FAILED"
        cat "$folder/err"
        failed=1
    fi
    rm -rf "$folder"
done
exit $failed
