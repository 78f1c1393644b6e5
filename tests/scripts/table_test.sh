#!/usr/bin/env bash
# A test under one table of kernels. Where the processor lacks that table there is nothing to run (exit status 77), nor
# where it is the best one: the same test runs with that without being told.
#
#   table_test.sh PALIGEMMA TABLE TEST
#
# EMULATOR: what runs programs of another architecture.
set -euo pipefail
kernels() { # PALIGEMMA TABLE: the table that is chosen with PG_ISA=TABLE
    # shellcheck disable=SC2086 # a list of words
    PG_ISA=$2 ${EMULATOR:-} "$1" --version | sed -n 's/^kernels: *//p'
}

best=$(kernels "$1" "")
if [[ $(kernels "$1" "$2") != "$2" ]]; then
    echo "not run: this processor's tables end with $best, before $2"
    exit 77
elif [[ $best == "$2" ]]; then
    echo "not run: $2 is this processor's best table, which the test takes by itself"
    exit 77
fi
# shellcheck disable=SC2086
PG_ISA=$2 exec ${EMULATOR:-} "$3"
