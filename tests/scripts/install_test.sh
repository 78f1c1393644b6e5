#!/usr/bin/env bash
# Installs a build into a folder of its own and uses it as a stranger would: the example through pkg-config and through
# CMake, the program by itself. The answer must be the one that the golden files hold.
#
#   install_test.sh BUILD_FOLDER
set -euo pipefail
build=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

model=$root/tests/golden/inference/paligemma-tiny-f32/checkpoint
picture=$root/tests/golden/inference/images/cow.jpg
prompt="caption en"
expected=$(printf '\024<loc0764><seg050> also also workx')

answers() {
    local answer
    answer=$("$@")
    [[ $answer == "$expected" ]] || { echo "$1: '$answer', expected '$expected'" >&2; exit 1; }
    echo "$1: answers as expected"
}

cmake --install "$build" --prefix "$prefix" >"$prefix/install.log"
pkgconfig=$(dirname "$(find "$prefix" -name paligemma.pc)")
library=$(dirname "$pkgconfig")
export PKG_CONFIG_PATH=$pkgconfig LD_LIBRARY_PATH=$library

# The service starts the program that was installed.
grep -q "^ExecStart=$prefix/bin/paligemma serve" "$prefix/lib/systemd/system/paligemma.service"

# Only what paligemma.h declares is exported, and the library is found by its SONAME.
if nm -D --defined-only "$library/libpaligemma.so" | awk '{ print $3 }' | grep -v '^pg_'; then
    echo "the names above are exported" >&2
    exit 1
fi
readelf -d "$library/libpaligemma.so" | grep -q 'SONAME.*\[libpaligemma\.so\.[0-9]*\]'

# shellcheck disable=SC2046 # flags are words
"${CC:-cc}" -Wall -Wextra -Werror "$root/examples/caption.c" -o "$prefix/with-pkg-config" \
    $(pkg-config --cflags --libs paligemma)
answers "$prefix/with-pkg-config" "$model" "$picture" "$prompt"

cmake -G Ninja -S "$root/examples" -B "$prefix/examples" -DCMAKE_PREFIX_PATH="$prefix" >"$prefix/cmake.log"
cmake --build "$prefix/examples" >>"$prefix/cmake.log"
answers "$prefix/examples/caption" "$model" "$picture" "$prompt"

unset LD_LIBRARY_PATH # the program knows where its library lies
answers "$prefix/bin/paligemma" caption -m "$model" "$picture"

# Without a model's name, the one that ships: an error where there is none, else what lies beside the library, also
# after the whole tree has moved.
models=$prefix/share/paligemma/models
rm -rf "$models/world"
if (unset PALIGEMMA_MODEL PALIGEMMA_MODELS && "$prefix/bin/paligemma" caption "$picture" >/dev/null 2>"$prefix/error"); then
    echo "there is no model, and caption succeeds" >&2
    exit 1
fi
grep -q "no model: .*$models" "$prefix/error"
mkdir -p "$models"
cp -rL "$model" "$models/world"
unset PALIGEMMA_MODEL PALIGEMMA_MODELS
answers "$prefix/bin/paligemma" caption "$picture"
mkdir "$prefix/moved"
libraries=${pkgconfig#"$prefix"/}
mv "$prefix/bin" "$prefix/share" "$prefix/${libraries%%/*}" "$prefix/moved/"
prefix_now=$prefix/moved
answers "$prefix_now/bin/paligemma" caption "$picture"

"$prefix_now/bin/paligemma" --version >/dev/null
test -s "$prefix_now/share/man/man1/paligemma.1"
test -s "$prefix_now/share/bash-completion/completions/paligemma"
